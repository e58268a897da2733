"""Group `search`: further rounds of thetas, near the optima and where predictions are uncertain."""

import dagster as dg

from quadmix_assets.defs.metadata import Cost, clear_errors, markdown_table
from quadmix_assets.defs.resources import OWNERS, ProjectResource
from quadmix_assets.defs.search import GROUP, optimal_params, regressor
from quadmix_assets.outputs import REFINEMENT
from quadmix_assets.proxies.parameter_sets import write_round
from quadmix_assets.search.constraints import InfeasibleError
from quadmix_assets.search.refine import propose_round
from quadmix_assets.store import MissingOutputError


@dg.asset(
    group_name=GROUP,
    kinds={"numpy", "parquet"},
    owners=OWNERS,
    code_version="1",
    deps=[regressor, optimal_params],
)
def refinement(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """The next round of thetas, registered as further proxy batches.

    Materialise the new partitions of merged_ranks, sampled_subset and proxy_metrics, then regressor
    and optimal_params again: the metadata of `regressor` shows what the round gained. The last
    round is replaced if none of its proxies has been trained yet.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError, InfeasibleError):
        proposed = propose_round(store, settings)
    batches = write_round(store, settings, proposed.number, proposed.thetas)
    known = set(context.instance.get_dynamic_partitions("proxy_batch"))
    context.instance.add_dynamic_partitions(
        "proxy_batch", [batch for batch in batches if batch not in known]
    )
    return dg.MaterializeResult(
        metadata={
            "round": proposed.number,
            "n_thetas": len(proposed.thetas),
            "batches": ", ".join(batches),
            "predicted": markdown_table(proposed.predicted),
            "dagster/uri": str(store.root / REFINEMENT),
            **cost.metadata(),
        }
    )
