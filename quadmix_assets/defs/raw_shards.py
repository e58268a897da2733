"""Group `corpus`: the normalized shards, and the checks of their ids and unusable rows."""

from collections.abc import Iterator, Sequence

import dagster as dg
import polars as pl

from quadmix_assets.corpus.check import check_inputs
from quadmix_assets.corpus.duplicates import find_duplicate_ids
from quadmix_assets.corpus.raw_shard import RawShardSummary, read_summary, write_raw_shard
from quadmix_assets.corpus.readers import UnreadableShardError
from quadmix_assets.defs.automation import INPUT_FILES
from quadmix_assets.defs.conditions import SHARD
from quadmix_assets.defs.metadata import Cost, clear_errors, markdown_table, table_metadata
from quadmix_assets.defs.partitions import SHARDS, for_each_partition, shard_keys
from quadmix_assets.defs.resources import (
    OWNERS,
    PLANTED,
    SHARDS_PER_RUN,
    ProjectResource,
    version_of,
)
from quadmix_assets.outputs import PLANTED_CORPUS, QUARANTINE, RAW_SHARDS
from quadmix_assets.settings import CorpusSettings, SettingsError
from quadmix_assets.store import Store

IDS_ARE_UNIQUE = "ids_are_unique"
FEW_ROWS_IN_QUARANTINE = "few_rows_in_quarantine"


@dg.asset(
    group_name="corpus",
    kinds={"polars", "parquet"},
    owners=OWNERS,
    code_version=version_of(RAW_SHARDS, 1),
    partitions_def=SHARDS,
    deps=[INPUT_FILES, *([PLANTED_CORPUS] if PLANTED else [])],
    backfill_policy=dg.BackfillPolicy.multi_run(SHARDS_PER_RUN),
    automation_condition=SHARD,
    check_specs=[
        dg.AssetCheckSpec(
            IDS_ARE_UNIQUE,
            asset=RAW_SHARDS,
            description="Whether no document id occurs twice in the pool; draws depend on ids.",
        ),
        dg.AssetCheckSpec(
            FEW_ROWS_IN_QUARANTINE,
            asset=RAW_SHARDS,
            description="Whether the share of unusable rows of every shard is at most "
            "`corpus.max_quarantine_share`.",
        ),
    ],
)
def raw_shards(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """One normalized Parquet per input shard: id, text, source, n_bytes and carried columns.

    Rows that cannot be used go to `raw_shards_quarantine/<shard>.parquet` with row and reason.
    """
    settings, store = project.settings, project.store
    with clear_errors(SettingsError):
        report = check_inputs(settings, store)
    inputs = {shard.key: shard for shard in report.shards.discovery.shards}

    def work(key: str) -> dict[str, object]:
        cost = Cost()
        if key not in inputs:
            raise FileNotFoundError(
                f"no input file belongs to the shard {key!r} any more: put it back, or delete "
                "the partition (Partitions > shard)"
            )
        summary = write_raw_shard(store, inputs[key], settings.corpus)
        path = store.table_path(RAW_SHARDS, key)
        if summary.absent_columns:
            context.log.info(f"{key}: {_absence(summary, settings.corpus)}")
        reasons = pl.DataFrame(
            {
                "reason": list(summary.quarantined),
                "n_rows": list(summary.quarantined.values()),
            }
        )
        return {
            **table_metadata(path, store.read_schema(path), summary.n_documents),
            "n_bytes": summary.n_bytes,
            "n_quarantined": summary.n_quarantined,
            "quarantine_share": summary.quarantine_share,
            "quarantine": markdown_table(reasons),
            "quarantine_table": str(store.table_path(QUARANTINE, key)),
            "columns_not_in_the_file": _absence(summary, settings.corpus) or "none",
            "input_checksum": summary.checksum,
            **cost.metadata(),
        }

    result = for_each_partition(
        context,
        work,
        version=lambda key: store.fingerprint(store.table_path(RAW_SHARDS, key)),
        expected_errors=(UnreadableShardError, FileNotFoundError),
    )
    materialized = context.instance.get_materialized_partitions(context.asset_key)
    shards = sorted(materialized & set(shard_keys(context)))
    yield _ids_are_unique(store, shards)
    yield _few_rows_in_quarantine(store, shards, settings.corpus.max_quarantine_share)
    yield result


def _absence(summary: RawShardSummary, corpus: CorpusSettings) -> str:
    """Which columns of the settings the file does not have, and what is used instead."""
    instead = {corpus.id_column: "ids are made from shard and row"}
    instead[corpus.source_column] = "the source is the shard's key"
    return "; ".join(
        f"no column {column!r}: {instead.get(column, 'null')}" for column in summary.absent_columns
    )


def _ids_are_unique(store: Store, shards: Sequence[str]) -> dg.AssetCheckResult:
    found = find_duplicate_ids([store.table_path(RAW_SHARDS, key) for key in shards])
    examples = pl.DataFrame(
        {
            "id": [example for example, _ in found.examples],
            "shards": [", ".join(where) for _, where in found.examples],
        }
    )
    return dg.AssetCheckResult(
        check_name=IDS_ARE_UNIQUE,
        passed=found.n_duplicate_ids == 0,
        description=f"no id occurs twice in {len(shards)} shards"
        if found.n_duplicate_ids == 0
        else f"{found.n_duplicate_ids} ids occur more than once, for example "
        f"{', '.join(f'{i!r} in {sorted(set(where))}' for i, where in found.examples[:3])}: "
        "remove the duplicates, or set corpus.id_column to null to have ids made from shard "
        "and row",
        metadata={
            "n_duplicate_ids": found.n_duplicate_ids,
            "n_documents_affected": found.n_documents_affected,
            "examples": markdown_table(examples),
        },
    )


def _few_rows_in_quarantine(
    store: Store, shards: Sequence[str], limit: float
) -> dg.AssetCheckResult:
    summaries = {key: read_summary(store, key) for key in shards}
    over = {key: s for key, s in summaries.items() if s.quarantine_share > limit}
    table = pl.DataFrame(
        {
            "shard": list(over),
            "n_rows": [s.n_rows for s in over.values()],
            "quarantine_share": [s.quarantine_share for s in over.values()],
            "reasons": [str(s.quarantined) for s in over.values()],
        }
    )
    return dg.AssetCheckResult(
        check_name=FEW_ROWS_IN_QUARANTINE,
        passed=not over,
        description=f"{len(over)} of {len(summaries)} shards have more than {limit:.1%} "
        "of their rows in quarantine" + (f", the first {next(iter(over))!r}" if over else ""),
        metadata={
            "n_quarantined": sum(s.n_quarantined for s in summaries.values()),
            "shards_over_the_limit": markdown_table(table),
        },
    )
