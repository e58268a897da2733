"""Group `proxies`: proxies of domain weights, in profiles with a mix by regmix or climb."""

import dagster as dg
import polars as pl

from quadmix_assets.defs.conditions import PINNED
from quadmix_assets.defs.corpus import target_sets, tokenizer
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import Cost, clear_errors, readable_table, table_metadata
from quadmix_assets.defs.needs import TRAINS
from quadmix_assets.defs.progress import observe_progress
from quadmix_assets.defs.proxies import GROUP, proxy_pool
from quadmix_assets.defs.resources import (
    OWNERS,
    TRAINS_DOMAIN_PROXIES,
    ProjectResource,
    version_of,
)
from quadmix_assets.defs.retries import RETRY_ONCE
from quadmix_assets.outputs import DOMAIN_PROXIES
from quadmix_assets.proxies.domain_proxies import train_domain_proxies, weight_columns
from quadmix_assets.store import MissingOutputError


@dg.asset(
    group_name=GROUP,
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    code_version=version_of(DOMAIN_PROXIES, 1),
    deps=[proxy_pool, target_sets, tokenizer],
    automation_condition=PINNED,
    pool="training",
    op_tags=TRAINS,
    retry_policy=RETRY_ONCE,
)
@faults_in_words
def domain_proxies(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """Small models on random documents by random weights of the domains, for regmix and climb.

    RegMix (arXiv:2407.01492): weights are drawn around the domains' shares of the pool, from nearly
    even ones to those with nearly all weight on few domains; scores play no part. All mixes of
    these methods learn from them. `proxies.domain_weights` says how many there are. A run that was
    killed goes on where it was.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError, ValueError):
        table = train_domain_proxies(store, settings, observe_progress(context))
    path = store.table_path(DOMAIN_PROXIES)
    failed = table.filter(pl.col("status") == "failed").unique("mixture_id")
    return materialized(
        project,
        DOMAIN_PROXIES,
        {
            **table_metadata(path, table.schema, table.height),
            "n_proxies": table["mixture_id"].n_unique(),
            "weights": readable_table(_ranges(table, settings.domain_names)),
            "failed": readable_table(failed.select("mixture_id", "reason").sort("mixture_id")),
            **cost.metadata(),
        },
        path=path,
    )


def _ranges(table: pl.DataFrame, domains: tuple[str, ...]) -> pl.DataFrame:
    """Mean and largest weight of every domain."""
    weights = table.unique("mixture_id").select(weight_columns(domains))
    return pl.DataFrame(
        {
            "domain": domains,
            "mean_weight": weights.mean().row(0),
            "largest_weight": weights.max().row(0),
        }
    )


@dg.definitions
def domain_weights() -> dg.Definitions:
    """The asset, if a mix of the profile learns from it."""
    return dg.Definitions(assets=[domain_proxies] if TRAINS_DOMAIN_PROXIES else [])
