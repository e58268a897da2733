"""Group `search`: further rounds of proxies, near the optima and where regressors are unsure."""

import dagster as dg
from pydantic import Field

from quadmix_assets.defs.conditions import PINNED_AFTER_ALL
from quadmix_assets.defs.corpus import target_sets, tokenizer
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import Cost, clear_errors, readable_table
from quadmix_assets.defs.needs import TRAINS
from quadmix_assets.defs.progress import observe_rounds
from quadmix_assets.defs.proxies import proxy_evaluation, proxy_metrics, proxy_pool
from quadmix_assets.defs.proxy_repeats import proxy_repeats
from quadmix_assets.defs.resources import OWNERS, ProjectResource, version_of
from quadmix_assets.defs.retries import RETRY_ONCE
from quadmix_assets.outputs import REFINEMENT
from quadmix_assets.proxies.evidence import read_evidence
from quadmix_assets.search.constraints import InfeasibleError
from quadmix_assets.search.refine_rounds import refine, refinement_version
from quadmix_assets.search.rounds import table_of_rounds
from quadmix_assets.store import MissingOutputError

GROUP = "search"


class RefinementConfig(dg.Config):
    """What one refinement may do beyond the settings."""

    further_rounds: int = Field(
        default=0,
        ge=0,
        description="rounds in addition to those that the settings ask for (search.refine.rounds) "
        "or that are there already; a run that goes on after an interruption takes the same number",
    )


@dg.asset(
    group_name=GROUP,
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    code_version=version_of(REFINEMENT, 3),
    deps=[proxy_metrics, proxy_evaluation, proxy_repeats, proxy_pool, target_sets, tokenizer],
    automation_condition=PINNED_AFTER_ALL,
    pool="training",
    op_tags=TRAINS,
    retry_policy=RETRY_ONCE,
)
@faults_in_words
def refinement(
    context: dg.AssetExecutionContext, config: RefinementConfig, project: ProjectResource
) -> dg.MaterializeResult:
    """Further rounds of thetas, and a small language model trained for each of them.

    An addition to the paper. A round takes its thetas from the losses of all earlier ones: near the
    optima, and where the regressor is least certain. Its ranks, samples and losses lie beside those
    of the swarm's batches, and `regressor` is fitted to all of them. Launch it with
    `further_rounds: 1` for one more round; a run that was killed goes on where it was.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError, InfeasibleError, ValueError):
        summary = refine(store, settings, config.further_rounds, observe_rounds(context))
        version = refinement_version(store)
        shown = {}
        if summary.n_rounds:
            evidence = read_evidence(store, settings)
            shown["rounds"] = readable_table(table_of_rounds(evidence, settings.objectives))
    if summary.predicted.height:
        shown["predicted"] = readable_table(summary.predicted)
    return materialized(
        project,
        REFINEMENT,
        {
            "n_rounds": summary.n_rounds,
            "n_batches_trained": len(summary.trained),
            "n_batches_kept": len(summary.kept),
            "launched_with": dg.MetadataValue.json({"further_rounds": config.further_rounds}),
            **shown,
            "dagster/uri": str(store.root / REFINEMENT),
            **cost.metadata(),
        },
        version=version,
    )
