"""Group `search`: regressors from theta to loss, and the search for theta*."""

from typing import Any

import dagster as dg
import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from quadmix_assets.defs.metadata import Cost, clear_errors, figure, markdown_table
from quadmix_assets.defs.proxies import parameter_sets, proxy_metrics, proxy_pool
from quadmix_assets.defs.resources import OWNERS, ProjectResource
from quadmix_assets.mix.theta_json import theta_to_json
from quadmix_assets.outputs import OPTIMAL_PARAMS, REGRESSOR
from quadmix_assets.proxies.evidence import Evidence, read_evidence
from quadmix_assets.sampling import Parameters, Theta, expectation
from quadmix_assets.search.constraints import InfeasibleError
from quadmix_assets.search.fit import (
    TargetFit,
    fit_target_regressors,
    load_regressors,
    make_features,
    objective_predictor,
    read_metrics,
)
from quadmix_assets.search.metrics import FIGURE_3, learning_curve
from quadmix_assets.search.objective import Objective, objective_losses
from quadmix_assets.search.optimum_plots import (
    plot_shares_of_optima,
    plot_theta_in_swarm,
    plot_trace,
    plot_weights_of_optima,
)
from quadmix_assets.search.plots import (
    plot_feature_importance,
    plot_learning_curve,
    plot_predicted_against_true,
    plot_predicted_histogram,
    plot_theta,
)
from quadmix_assets.search.regressors import LightGBMRegressor
from quadmix_assets.search.setup import make_space
from quadmix_assets.search.strategies import Predict, SearchResult, cma_es, random_top_mean
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import ObjectiveSettings, Settings
from quadmix_assets.store import MissingOutputError, Store

GROUP = "search"


@dg.asset(
    group_name=GROUP,
    kinds={"lightgbm", "scikitlearn"},
    owners=OWNERS,
    code_version="2",
    deps=[parameter_sets, proxy_metrics, proxy_pool],
)
def regressor(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """One regressor per target set, theta -> loss, judged on proxies that it never saw.

    Losses that were measured on another version of pool, thetas, targets or recipe are left out.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError, ValueError), _threads(settings):
        evidence = read_evidence(store, settings)
        features = make_features(store, settings)
        fitted = fit_target_regressors(store, settings, evidence, features)
    rows: list[dict[str, Any]] = []
    metadata: dict[str, Any] = {}
    for target, fit in fitted.items():
        rows += fit.rows(target)
        metadata |= _judged(store, settings, target, fit, features.names)
        context.log.info(
            f"{target}: MAE {fit.metrics.mae} (a constant: {fit.metrics.constant_mae:.4g}), "
            f"Spearman {fit.metrics.spearman} on {fit.metrics.n} held-out proxies"
        )
    return dg.MaterializeResult(
        metadata={
            "n_proxies": len(evidence.theta_ids),
            "n_failed_left_out": evidence.n_failed,
            "n_stale_left_out": evidence.n_stale,
            "n_features": len(features.names),
            "rounds": markdown_table(_rounds(evidence, settings)),
            "held_out": markdown_table(pl.DataFrame(rows)),
            **metadata,
            "dagster/uri": str(store.root / REGRESSOR),
            **cost.metadata(),
        }
    )


def _judged(
    store: Store, settings: Settings, target: str, fit: TargetFit, names: Any
) -> dict[str, Any]:
    """Numbers and figures of one target's regressor."""
    curve = learning_curve(
        fit.features,
        fit.losses,
        fit.train,
        fit.held_out,
        seed=derive_seed(settings.seed, "learning_curve") % 2**31,
        kinds=tuple(dict.fromkeys((*FIGURE_3, settings.search.regressor))),
        n_threads=settings.search.n_threads,
    )
    pictures = {
        "predicted_against_true": plot_predicted_against_true(
            fit.losses[fit.held_out], fit.predicted, title=target
        ),
        "learning_curve": plot_learning_curve(
            curve, constant_mae=fit.metrics.constant_mae, title=target
        ),
    }
    if isinstance(fit.regressor, LightGBMRegressor):
        pictures["importance"] = plot_feature_importance(
            fit.regressor.feature_importance(), names, title=target
        )
    return {
        f"mae_{target}": fit.metrics.mae.value,
        f"constant_mae_{target}": fit.metrics.constant_mae,
        f"spearman_{target}": fit.metrics.spearman.value,
        **{
            f"{name}_{target}": figure(store, REGRESSOR, f"{name}_{target}", picture)
            for name, picture in pictures.items()
        },
    }


def _rounds(evidence: Evidence, settings: Settings) -> pl.DataFrame:
    """What every round of proxies brought, per objective."""
    rows = []
    for objective in settings.objectives:
        losses = objective_losses(evidence.metrics, objective)
        best = np.inf
        for number in np.unique(evidence.rounds):
            mine = losses[evidence.rounds == number]
            gain = best - mine.min()
            best = min(best, mine.min())
            rows.append(
                {
                    "objective": objective.name,
                    "round": int(number),
                    "proxies": len(mine),
                    "mean": float(mine.mean()),
                    "best": float(mine.min()),
                    "gain": float(gain) if np.isfinite(gain) else None,
                }
            )
    return pl.DataFrame(rows)


@dg.asset_check(asset=regressor)
def regressor_learned_something(project: ProjectResource) -> dg.AssetCheckResult:
    """Whether the regressors predict held-out losses better than a constant does."""
    settings, store = project.settings, project.store
    metrics = read_metrics(store)
    errors = {target: metrics[target]["mae"]["value"] for target in settings.target_names}
    poor = [target for target in errors if errors[target] >= metrics[target]["constant_mae"]]
    return dg.AssetCheckResult(
        passed=not poor,
        severity=dg.AssetCheckSeverity.WARN,
        description="every regressor is better than a constant on the held-out proxies"
        if not poor
        else f"the regressor of {', '.join(poor)} is no better than a constant on the held-out "
        "proxies, so theta* is a guess: train more proxies, or each of them longer",
        metadata={f"mae_{target}": error for target, error in errors.items()},
    )


@dg.asset_check(asset=regressor)
def evidence_is_current(project: ProjectResource) -> dg.AssetCheckResult:
    """Whether all proxies were trained on the pool, thetas, targets and recipe of today."""
    evidence = read_evidence(project.store, project.settings)
    return dg.AssetCheckResult(
        passed=evidence.n_stale == 0,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(evidence.theta_ids)} proxies count, all of one version"
        if evidence.n_stale == 0
        else f"{evidence.n_stale} proxies are left out, because they were trained on another "
        "version of pool, thetas, targets or recipe than the "
        f"{len(evidence.theta_ids)} that count: materialise their partitions of merged_ranks, "
        "sampled_subset and proxy_metrics again",
        metadata={"n_current": len(evidence.theta_ids), "n_stale": evidence.n_stale},
    )


@dg.asset(
    group_name=GROUP,
    kinds={"numpy"},
    owners=OWNERS,
    code_version="2",
    deps=[regressor, proxy_pool],
)
def optimal_params(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """theta* per objective: what the search finds best by prediction, within the constraints."""
    cost = Cost()
    settings, store = project.settings, project.store
    criteria, domains = settings.criterion_names, settings.domain_names
    metadata: dict[str, Any] = {}
    thetas: dict[str, Theta] = {}
    with clear_errors(MissingOutputError, InfeasibleError), _threads(settings):
        evidence = read_evidence(store, settings)
        regressors = load_regressors(store, settings)
        features = make_features(store, settings)
        space = make_space(store, settings)
        for wanted in settings.objectives:
            objective = Objective.of(wanted, evidence.metrics)
            result = _search(settings, objective_predictor(objective, regressors, features), space)
            measured = objective_losses(evidence.metrics, wanted)
            _write_optimum(store, settings, wanted, objective, result, measured)
            thetas[wanted.name] = result.theta[0]
            metadata |= _found(store, settings, objective, result, measured, evidence.parameters)
            context.log.info(
                f"{wanted.name}: predicted {result.predicted:.4f} ± {result.deviation:.4f}, best "
                f"proxy measured {measured.min():.4f} {objective.unit}"
                + ("" if result.mean_is_no_worse else "; the mean of the best thetas is worse")
            )
    tokens = space.n_tokens
    shares = {name: _share(theta, tokens) for name, theta in thetas.items()}
    pictures = {
        "shares": plot_shares_of_optima(shares, tokens / tokens.sum(), domains),
        "weights": plot_weights_of_optima(thetas, shares, criteria),
    }
    return dg.MaterializeResult(
        metadata={
            **{
                name: figure(store, OPTIMAL_PARAMS, name, picture)
                for name, picture in pictures.items()
            },
            **metadata,
            "dagster/uri": str(store.root / OPTIMAL_PARAMS),
            **cost.metadata(),
        }
    )


def _threads(settings: Settings) -> threadpool_limits:
    """Linear algebra with so many threads, whatever the machine: they can change last bits."""
    return threadpool_limits(settings.search.n_threads)


def _search(settings: Settings, predict: Predict, space: Any) -> SearchResult:
    options = {
        "n_points": settings.search.n_points,
        "top": settings.search.top,
        "seed": derive_seed(settings.seed, OPTIMAL_PARAMS),
    }
    if settings.search.strategy == "random_top_mean":
        return random_top_mean(predict, space, **options)
    return cma_es(predict, space, **options, caution=settings.search.caution)


def _write_optimum(
    store: Store,
    settings: Settings,
    wanted: ObjectiveSettings,
    objective: Objective,
    result: SearchResult,
    measured: np.ndarray,
) -> None:
    store.write_json(
        store.path(OPTIMAL_PARAMS, f"{wanted.name}.json"),
        {
            "objective": wanted.name,
            "targets": wanted.targets,
            "criteria": list(settings.criterion_names),
            "domains": list(settings.domain_names),
            "theta": theta_to_json(result.theta[0]),
            "prediction": {
                "unit": objective.unit,
                "predicted": result.predicted,
                "deviation": result.deviation,
                "strategy": result.strategy,
                "mean_of_best_predicted": result.mean_predicted,
                "mean_is_no_worse": result.mean_is_no_worse,
                "best_proxy_measured": float(measured.min()),
                "n_proxies": len(measured),
                "n_points": settings.search.n_points,
                "top": settings.search.top,
            },
        },
    )


def _found(
    store: Store,
    settings: Settings,
    objective: Objective,
    result: SearchResult,
    measured: np.ndarray,
    swarm: Parameters,
) -> dict[str, Any]:
    """Numbers and figures of one objective's theta*."""
    criteria, domains = settings.criterion_names, settings.domain_names
    name, theta, best = objective.name, result.theta[0], float(measured.min())
    pictures = {
        "predicted_losses": plot_predicted_histogram(
            result.drawn_predicted, theta_star=result.predicted, best_measured=best, title=name
        ),
        "trace": plot_trace(result.trace, best_measured=best, unit=objective.unit, title=name),
        "theta": plot_theta(theta, criteria, domains),
        "theta_in_swarm": plot_theta_in_swarm(theta, swarm, criteria, domains, title=name),
    }
    beta = {key: getattr(theta, key) for key in result.theta.beta}
    return {
        f"predicted_{name}": result.predicted,
        f"deviation_{name}": result.deviation,
        f"best_proxy_{name}": best,
        f"mean_of_best_{name}": dg.MetadataValue.text(
            f"{result.mean_predicted:.4f}, "
            + ("no worse" if result.mean_is_no_worse else "worse")
            + " than the thetas it averages"
        ),
        **{
            f"{key}_{name}": figure(store, OPTIMAL_PARAMS, f"{key}_{name}", picture)
            for key, picture in pictures.items()
        },
        f"beta_{name}": markdown_table(pl.DataFrame({"domain": domains, **beta})),
    }


def _share(theta: Theta, n_tokens: np.ndarray) -> np.ndarray:
    taken = n_tokens * expectation(*theta[1:]).epochs
    return np.asarray(taken / max(taken.sum(), 1.0))
