"""Group `features`: near-duplicates of the pool, in profiles that look for them."""

import dagster as dg
import polars as pl

from quadmix_assets.defs.conditions import GATHER, SHARD
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.features import scored_shards
from quadmix_assets.defs.materialized import materialize_shards, materialized
from quadmix_assets.defs.metadata import (
    Cost,
    clear_errors,
    markdown_table,
    place_metadata,
    table_metadata,
)
from quadmix_assets.defs.partitions import SHARDS, shards_with
from quadmix_assets.defs.raw_shards import raw_shards
from quadmix_assets.defs.resources import (
    FINDS_NEAR_DUPLICATES,
    OWNERS,
    SHARDS_PER_RUN,
    ProjectResource,
    version_of,
)
from quadmix_assets.features.near_duplicates.pool import write_near_duplicates
from quadmix_assets.features.near_duplicates.shard_signatures import sign_shard
from quadmix_assets.outputs import (
    DUPLICATE_SIGNATURES,
    NEAR_DUPLICATES,
    RAW_SHARDS,
    SCORED_SHARDS,
)
from quadmix_assets.store import MissingOutputError

_LARGEST = 20


@dg.asset(
    group_name="features",
    kinds={"polars", "parquet"},
    owners=OWNERS,
    code_version=version_of(DUPLICATE_SIGNATURES, 1),
    partitions_def=SHARDS,
    deps=[raw_shards],
    backfill_policy=dg.BackfillPolicy.multi_run(SHARDS_PER_RUN),
    automation_condition=SHARD,
)
@faults_in_words
def duplicate_signatures(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """MinHash signatures of every document, by which `near_duplicates` are found.

    Of two documents the share of equal numbers in their signatures estimates the share of common
    runs of words (`features.near_duplicates`). They are made once for every shard, so that a new
    one is compared with the pool without reading its texts again.
    """
    store, options = project.store, project.settings.features.near_duplicates

    def work(key: str) -> dict[str, object]:
        cost = Cost()
        n_documents = sign_shard(store, key, options)
        path = store.table_path(DUPLICATE_SIGNATURES, key)
        n_bytes = store.summary(store.table_path(RAW_SHARDS, key))["n_bytes"]
        return {
            **place_metadata(path, n_documents),
            **cost.metadata(n_documents=n_documents, n_bytes=n_bytes),
        }

    return materialize_shards(
        context, project, DUPLICATE_SIGNATURES, work, expected_errors=(MissingOutputError,)
    )


@dg.asset(
    group_name="features",
    kinds={"polars", "parquet"},
    owners=OWNERS,
    code_version=version_of(NEAR_DUPLICATES, 1),
    deps=[duplicate_signatures, scored_shards],
    automation_condition=GATHER,
)
@faults_in_words
def near_duplicates(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """The documents of the pool that say nearly the same as others, in clusters.

    Near-duplicates are ranked next to each other, so a selection by quality takes all copies of a
    good page. Mixes with `drop_duplicates` take only the best of each cluster. Every new shard is
    compared with the whole pool, by signatures; the rules of mixes change only when they are
    materialised again.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    scored = set(shards_with(context, SCORED_SHARDS))
    shards = [shard for shard in shards_with(context, DUPLICATE_SIGNATURES) if shard in scored]
    with clear_errors(MissingOutputError, ValueError):
        table = write_near_duplicates(store, shards, settings.features.near_duplicates)
    path = store.table_path(NEAR_DUPLICATES)
    sizes = table.group_by("cluster").agg(
        pl.len().alias("documents"),
        pl.col("n_tokens").sum(),
        pl.col("id").sort().first().alias("one_of_them"),
    )
    n_documents = sum(store.n_rows(store.table_path(SCORED_SHARDS, shard)) for shard in shards)
    n_repeated = table.height - sizes.height
    return materialized(
        project,
        NEAR_DUPLICATES,
        {
            **table_metadata(path, table.schema, table.height),
            "n_clusters": sizes.height,
            "n_documents_in_clusters": table.height,
            "n_repeated_documents": n_repeated,
            "share_repeated": n_repeated / max(n_documents, 1),
            "largest_clusters": markdown_table(
                sizes.sort(["documents", "cluster"], descending=[True, False]).head(_LARGEST)
            ),
            "n_shards": len(shards),
            **cost.metadata(n_documents=n_documents),
        },
        path=path,
    )


@dg.definitions
def duplicates() -> dg.Definitions:
    """The assets, if the profile looks for near-duplicates."""
    return dg.Definitions(
        assets=[duplicate_signatures, near_duplicates] if FINDS_NEAR_DUPLICATES else []
    )
