"""Group `proxies`: some thetas trained again with other seeds, to measure the noise of losses."""

import dagster as dg

from quadmix_assets.defs.conditions import PINNED_AFTER_ALL
from quadmix_assets.defs.corpus import target_sets, tokenizer
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import Cost, clear_errors, readable_table, table_metadata
from quadmix_assets.defs.needs import TRAINS
from quadmix_assets.defs.progress import observe_progress
from quadmix_assets.defs.proxies import (
    GROUP,
    parameter_sets,
    proxy_evaluation,
    proxy_metrics,
    proxy_pool,
)
from quadmix_assets.defs.resources import OWNERS, ProjectResource, version_of
from quadmix_assets.defs.retries import RETRY_ONCE
from quadmix_assets.outputs import PROXY_REPEATS
from quadmix_assets.proxies.repeats import train_repeats
from quadmix_assets.store import MissingOutputError


@dg.asset(
    group_name=GROUP,
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    code_version=version_of(PROXY_REPEATS, 1),
    deps=[parameter_sets, proxy_metrics, proxy_evaluation, proxy_pool, target_sets, tokenizer],
    automation_condition=PINNED_AFTER_ALL,
    pool="training",
    op_tags=TRAINS,
    retry_policy=RETRY_ONCE,
)
@faults_in_words
def proxy_repeats(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """Some thetas of the swarm trained again: other initial weights, draws and orders.

    An addition to the paper. Differences between trainings of one theta are noise; `regressor`
    shows per target set how much of the differences between thetas that explains, and corrects
    predictions for what the swarm's seed does to all proxies alike. `proxies.repeated_thetas` says
    how many, `proxies.repeats` how often. A run that was killed goes on where it was.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError, ValueError):
        table = train_repeats(store, settings, observe_progress(context))
    path = store.table_path(PROXY_REPEATS)
    failed = table.filter(table["status"] == "failed")
    return materialized(
        project,
        PROXY_REPEATS,
        {
            **table_metadata(path, table.schema, table.height),
            "n_thetas": table["theta_id"].n_unique(),
            "n_trainings": table.select("theta_id", "seed").n_unique(),
            "failed": readable_table(failed.select("theta_id", "seed", "reason").unique()),
            **cost.metadata(),
        },
        path=path,
    )
