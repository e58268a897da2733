"""Group `search`: further rounds of proxies, near the optima and where the regressor is unsure."""

import dagster as dg
import polars as pl

from quadmix_assets.defs.metadata import Cost, clear_errors, markdown_table
from quadmix_assets.defs.resources import OWNERS, ProjectResource
from quadmix_assets.defs.search import GROUP, optimal_params, regressor
from quadmix_assets.mix.model import read_optimum
from quadmix_assets.outputs import REFINEMENT
from quadmix_assets.proxies.evidence import read_evidence
from quadmix_assets.proxies.parameter_sets import n_rounds, write_round
from quadmix_assets.sampling import Parameters
from quadmix_assets.search.constraints import InfeasibleError
from quadmix_assets.search.fit import load_regressors, make_features, objective_predictor
from quadmix_assets.search.objective import Objective
from quadmix_assets.search.refine import propose
from quadmix_assets.search.setup import make_space
from quadmix_assets.seeds import derive_seed
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
    and optimal_params again: the metadata of `regressor` says what the round gained. A round of
    which no proxy has been trained yet is proposed anew.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError, InfeasibleError):
        evidence = read_evidence(store, settings)
        regressors = load_regressors(store, settings)
        features = make_features(store, settings)
        space = make_space(store, settings)
        optima = [read_optimum(store, settings, o.name)[0] for o in settings.objectives]
        predicts = [
            objective_predictor(Objective.of(wanted, evidence.metrics), regressors, features)
            for wanted in settings.objectives
        ]
        last = n_rounds(store)
        number = last if last and not (evidence.rounds == last).any() else last + 1
        refine = settings.search.refine
        n = max(1, round(settings.parameters.n * refine.share))
        thetas = propose(
            predicts,
            Parameters.stack(optima),
            space,
            n=n,
            explore=refine.explore,
            seed=derive_seed(settings.seed, f"{REFINEMENT}:{number}") % 2**31,
            start=settings.search.n_points,
        )
    batches = write_round(store, settings, number, thetas)
    known = set(context.instance.get_dynamic_partitions("proxy_batch"))
    context.instance.add_dynamic_partitions(
        "proxy_batch", [batch for batch in batches if batch not in known]
    )
    table = pl.DataFrame(
        {
            "objective": [wanted.name for wanted in settings.objectives],
            "mean_predicted": [float(predict(thetas).mean.mean()) for predict in predicts],
            "least_predicted": [float(predict(thetas).mean.min()) for predict in predicts],
        }
    )
    return dg.MaterializeResult(
        metadata={
            "round": number,
            "n_thetas": len(thetas),
            "batches": ", ".join(batches),
            "predicted": markdown_table(table),
            "dagster/uri": str(store.root / REFINEMENT),
            **cost.metadata(),
        }
    )
