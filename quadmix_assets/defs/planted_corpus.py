"""Group `corpus`: the demo's input, in profiles that ask for it."""

import dagster as dg
import polars as pl
from upath import UPath

from quadmix_assets.corpus.planted import TARGET_BLEND, write_planted_corpus
from quadmix_assets.defs.conditions import PINNED
from quadmix_assets.defs.discovery import present_files
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import Cost, markdown_table
from quadmix_assets.defs.partitions import shard_keys
from quadmix_assets.defs.resources import OWNERS, PLANTED, ProjectResource, version_of
from quadmix_assets.outputs import PLANTED_CORPUS
from quadmix_assets.store import atomic_folder


@dg.asset(
    group_name="corpus",
    kinds={"python", "parquet"},
    owners=OWNERS,
    code_version=version_of(PLANTED_CORPUS, 1),
    automation_condition=PINNED,
)
@faults_in_words
def planted_corpus(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """The demo's input: a generated corpus for which the best mix is known.

    Every document has a domain and a latent quality that determines its text; the target set is
    drawn from a known blend of domains at high quality (the table below), so that the search can be
    judged by what it finds. It has no counterpart in the paper. Real profiles (`corpus.source:
    files`) do not have this asset.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    planted = settings.corpus.planted
    with atomic_folder(store.root / PLANTED_CORPUS) as folder:
        corpus = write_planted_corpus(
            UPath(folder),
            n_documents=planted.n_documents,
            n_shards=planted.n_shards,
            n_labelled_per_domain=planted.n_labelled_per_domain,
            n_target=planted.n_target,
            seed=settings.seed,
        )
    # Reported here and not by the sensor later, which would make new shards look changed.
    registered = frozenset(shard_keys(context))
    for event in present_files(context.instance, settings, store, registered):
        context.log_event(event)
    blend = pl.DataFrame(
        {"domain": list(TARGET_BLEND), "share_of_target": list(TARGET_BLEND.values())}
    )
    return materialized(
        project,
        PLANTED_CORPUS,
        {
            "n_documents": corpus.n_documents,
            "n_shards": corpus.n_shards,
            "target_blend": markdown_table(blend),
            "dagster/uri": str(store.root / PLANTED_CORPUS),
            **cost.metadata(n_documents=corpus.n_documents),
        },
    )


@dg.definitions
def planted() -> dg.Definitions:
    """The asset, if the profile's corpus is planted."""
    return dg.Definitions(assets=[planted_corpus] if PLANTED else [])
