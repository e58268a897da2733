"""What every asset reports when it was made: the version of its content, and its settings."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import dagster as dg
import polars as pl
from upath import UPath

from quadmix_assets.defs.metadata import columns_metadata, first_rows, markdown_table
from quadmix_assets.defs.partitions import for_each_partition
from quadmix_assets.defs.resources import ProjectResource
from quadmix_assets.lake_files import FILES_KEY, files_of
from quadmix_assets.outputs import PER_BATCH, is_per_shard
from quadmix_assets.report.settings_of import write_settings_of
from quadmix_assets.settings import Settings, settings_used


def materialized(
    project: ProjectResource,
    asset: str,
    metadata: Mapping[str, Any],
    *,
    path: UPath | None = None,
    version: str | None = None,
    check_results: Sequence[dg.AssetCheckResult] = (),
) -> dg.MaterializeResult:
    """The result of an asset, or of the one partition that its step has made.

    Args:
        project: with the settings that it was made with.
        asset: its name.
        metadata: what the UI shows.
        path: the file or folder that was written; None stands for the asset's folder of the lake.
        version: the fingerprint of the content, where that is not the fingerprint of `path`.
        check_results: of checks that are part of the step.
    """
    store, settings = project.store, project.settings
    write_settings_of(store, settings, asset)
    # `quadmix run --resume` makes an asset again when one of its files is gone. Partitions have the
    # same files each.
    is_partition = is_per_shard(asset) or asset in PER_BATCH
    files = {} if is_partition else {FILES_KEY: dg.MetadataValue.json(files_of(store, asset))}
    content = version or store.fingerprint(path if path is not None else store.root / asset)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(content),
        metadata={
            **metadata,
            "settings": settings_table(settings, asset),
            **files,
        },
        check_results=list(check_results),
    )


def settings_table(settings: Settings, asset: str) -> dg.MetadataValue:
    """The settings that an asset depends on, with their values."""
    used = settings_used(settings, asset)
    return markdown_table(
        pl.DataFrame(
            {
                "setting": list(used),
                "value": ["–" if value is None else str(value) for value in used.values()],
            },
            schema={"setting": pl.String, "value": pl.String},
        )
    )


def materialize_shards(
    context: dg.AssetExecutionContext,
    project: ProjectResource,
    asset: str,
    work: Callable[[str], Mapping[str, Any]],
    *,
    columns: Callable[[Mapping[str, pl.DataType]], Mapping[str, Any]] | None = None,
    is_described: bool = True,
    expected_errors: Sequence[type[Exception]] = (),
    n_threads: int = 1,
) -> dg.MaterializeResult:
    """Make and record the table of every shard of the step, as `for_each_partition` does.

    The first rows and the columns, which all shards have in common, are recorded with the last one
    alone.

    Args:
        context: of the step.
        project: with the settings that the shards are made with.
        asset: its name.
        work: makes one shard's table and returns its metadata.
        columns: gives the metadata of the columns, from their types; None: `columns_metadata`.
        is_described: whether columns and first rows are recorded at all.
        expected_errors: errors that fail one shard with their message, while others go on.
        n_threads: shards that are made at once.

    Raises:
        dg.Failure: a shard failed; the others are recorded as materialised.
    """
    store = project.store
    write_settings_of(store, project.settings, asset)
    described = partial(columns_metadata, asset) if columns is None else columns

    def once(key: str) -> Mapping[str, Any]:
        if not is_described:
            return {}
        path = store.table_path(asset, key)
        return {**described(store.read_schema(path)), "first_rows": first_rows(path)}

    return for_each_partition(
        context,
        work,
        version=lambda key: store.fingerprint(store.table_path(asset, key)),
        once=once,
        expected_errors=expected_errors,
        n_threads=n_threads,
    )
