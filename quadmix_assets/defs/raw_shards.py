"""Group `corpus`: the normalized shards, and the checks of their files, ids and unusable rows."""

from collections.abc import Iterator, Sequence

import dagster as dg
import polars as pl

from quadmix_assets.corpus.discovery import InputShard
from quadmix_assets.corpus.document_ids import DocumentIds
from quadmix_assets.corpus.inputs import discover_inputs, raw_folder
from quadmix_assets.corpus.raw_shard import (
    RawShardSummary,
    gone,
    not_marked,
    write_raw_shard,
    write_set_aside,
)
from quadmix_assets.corpus.set_aside import SetAside
from quadmix_assets.defs.conditions import SHARD
from quadmix_assets.defs.discovery import (
    INPUT_FILES,
    listing_event,
    planted_keys,
    why_kept,
)
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialize_shards
from quadmix_assets.defs.metadata import (
    Cost,
    clear_errors,
    first_rows,
    markdown_table,
    place_metadata,
)
from quadmix_assets.defs.partitions import SHARDS, shard_keys
from quadmix_assets.defs.resources import (
    OWNERS,
    PLANTED,
    SHARDS_PER_RUN,
    ProjectResource,
    version_of,
)
from quadmix_assets.defs.shard_checks import (
    FEW_ROWS_IN_QUARANTINE,
    IDS_ARE_UNIQUE,
    SHARDS_ARE_USABLE,
    SHARDS_HAVE_THE_SCHEMA,
    check_shards,
)
from quadmix_assets.outputs import INPUT_CHECK, PLANTED_CORPUS, QUARANTINE, RAW_SHARDS
from quadmix_assets.settings import CorpusSettings, Settings
from quadmix_assets.store import Store


@dg.asset(
    group_name="corpus",
    kinds={"polars", "parquet"},
    owners=OWNERS,
    code_version=version_of(RAW_SHARDS, 2),
    partitions_def=SHARDS,
    # An unpartitioned parent, because with partitions at the root of the graph "Materialize all"
    # would cover only the partitions that shards lead to, and no batch of proxies.
    deps=[INPUT_FILES, PLANTED_CORPUS if PLANTED else INPUT_CHECK],
    backfill_policy=dg.BackfillPolicy.multi_run(SHARDS_PER_RUN),
    automation_condition=SHARD,
    check_specs=[
        dg.AssetCheckSpec(
            SHARDS_ARE_USABLE,
            asset=RAW_SHARDS,
            description="Whether every registered file is in the pool. Names each one that is set "
            "aside, why, and what to do; the others are not held up.",
        ),
        dg.AssetCheckSpec(
            IDS_ARE_UNIQUE,
            asset=RAW_SHARDS,
            description="Whether no file repeats ids, or the whole content, of another. A file "
            "that does is set aside, since draws depend on ids; the others are not held up.",
        ),
        dg.AssetCheckSpec(
            SHARDS_HAVE_THE_SCHEMA,
            asset=RAW_SHARDS,
            description="Whether every shard has the columns that the settings ask for now.",
        ),
        dg.AssetCheckSpec(
            FEW_ROWS_IN_QUARANTINE,
            asset=RAW_SHARDS,
            description="Whether the share of unusable rows of every shard is at most "
            "`corpus.max_quarantine_share`.",
        ),
    ],
)
@faults_in_words
def raw_shards(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """One normalized Parquet per input shard: id, text, source, n_bytes and carried columns.

    The pool X of the paper. Rows that cannot be used go to `raw_shards_quarantine/<shard>.parquet`
    with row and reason. A file that cannot be used as a whole, or repeats ids of another, is set
    aside: its table has no rows, the check `shards_are_usable` says why and what to do, and it is
    tried again when the cause is gone. New files need no click: `discover_shards` registers them.
    """
    settings, store = project.settings, project.store
    registered = frozenset(shard_keys(context))
    inputs = _inputs(settings, store, registered, context.partition_keys)
    claims = DocumentIds(store)

    def work(key: str) -> dict[str, object]:
        cost = Cost()
        shard = inputs[key]
        if isinstance(shard, SetAside):
            summary = write_set_aside(store, key, settings.corpus, shard, claims)
        else:
            summary = write_raw_shard(store, shard, settings.corpus, claims)
        if summary.set_aside is not None:
            context.log.error(f"{key} is set aside: {summary.set_aside.message}")
        if summary.absent_columns:
            context.log.info(f"{key}: {_absence(summary, settings.corpus)}")
        return {
            **_metadata(store, key, summary, settings.corpus),
            **cost.metadata(n_documents=summary.n_documents, n_bytes=summary.n_bytes),
        }

    made = materialize_shards(context, project, RAW_SHARDS, work)
    listing = listing_event(context.instance, store, registered)
    if listing is not None:
        context.log_event(listing)
    # The checks are part of this step, so that the page of its run shows them.
    yield from check_shards(store, settings, registered)
    yield made


def _inputs(
    settings: Settings, store: Store, registered: frozenset[str], keys: Sequence[str]
) -> dict[str, InputShard | SetAside]:
    """The file of each of `keys`, or why there is none to read.

    Raises:
        dg.Failure: the folder cannot be listed, or so many files are gone that it may have failed.
    """
    with clear_errors(OSError, ValueError):
        discovery = discover_inputs(settings, store)
    shards = {shard.key: shard for shard in discovery.shards}
    missing = set(keys) - shards.keys() - discovery.unmarked
    if missing:
        absent = registered - shards.keys() - discovery.unmarked - planted_keys(settings)
        kept = why_kept(settings, len(absent), len(registered))
        if kept:
            raise dg.Failure(f"{raw_folder(settings, store)}: {kept}", allow_retries=False)
    inputs: dict[str, InputShard | SetAside] = {}
    for key in keys:
        if key in shards:
            inputs[key] = shards[key]
        else:
            inputs[key] = not_marked() if key in discovery.unmarked else gone()
    return inputs


def _metadata(
    store: Store, key: str, summary: RawShardSummary, corpus: CorpusSettings
) -> dict[str, object]:
    path = store.table_path(RAW_SHARDS, key)
    reasons = pl.DataFrame(
        {"reason": list(summary.quarantined), "n_rows": list(summary.quarantined.values())}
    )
    return {
        **place_metadata(path, summary.n_documents),
        # Of every shard, unlike those of what is computed: files differ in what they hold.
        "first_rows": first_rows(path),
        "set_aside": "no" if summary.set_aside is None else summary.set_aside.message,
        "n_rows": summary.n_rows,
        "n_bytes": summary.n_bytes,
        "n_quarantined": summary.n_quarantined,
        "quarantine_share": summary.quarantine_share,
        **({"quarantine": markdown_table(reasons)} if summary.quarantined else {}),
        "quarantine_table": str(store.table_path(QUARANTINE, key)),
        "columns_not_in_the_file": _absence(summary, corpus) or "none",
        "input_checksum": summary.checksum,
    }


def _absence(summary: RawShardSummary, corpus: CorpusSettings) -> str:
    """Which columns of the settings the file does not have, and what is used instead."""
    instead = {corpus.id_column: "ids are made from shard and row"}
    instead[corpus.source_column] = "the source is the shard's key"
    return "; ".join(
        f"no column {column!r}: {instead.get(column, 'null')}" for column in summary.absent_columns
    )
