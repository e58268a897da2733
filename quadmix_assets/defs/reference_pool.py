"""Group `corpus`: the shards that pinned assets are fitted on."""

import dagster as dg

from quadmix_assets.corpus.reference_pool import write_reference_pool
from quadmix_assets.defs.conditions import PINNED
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import Cost, clear_errors
from quadmix_assets.defs.partitions import shards_with
from quadmix_assets.defs.raw_shards import raw_shards
from quadmix_assets.defs.resources import OWNERS, ProjectResource, version_of
from quadmix_assets.outputs import RAW_SHARDS, REFERENCE_POOL
from quadmix_assets.store import MissingOutputError


@dg.asset(
    group_name="corpus",
    kinds={"json"},
    owners=OWNERS,
    code_version=version_of(REFERENCE_POOL, 1),
    deps=[raw_shards],
    automation_condition=PINNED,
)
@faults_in_words
def reference_pool(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """The shards that tokenizer and models are fitted on, with their checksums. Pinned.

    A shard that arrives later makes this asset unsynced, and no other: what is fitted stays as it
    is, and scores of old and new documents stay comparable. Materialise it again, with all that
    depends on it, when the pool has become a different one; every shard is then scored anew.
    """
    cost = Cost()
    store = project.store
    with clear_errors(MissingOutputError, ValueError):
        pool = write_reference_pool(store, shards_with(context, RAW_SHARDS))
    return materialized(
        project,
        REFERENCE_POOL,
        {
            "n_shards": len(pool.shards),
            "n_documents": pool.n_documents,
            "n_bytes": pool.n_bytes,
            "dagster/uri": str(store.root / REFERENCE_POOL),
            **cost.metadata(),
        },
    )
