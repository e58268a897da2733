"""Group `search`: regressors from theta to loss, and the search for theta*."""

from typing import Any

import dagster as dg
import numpy as np
import polars as pl

from quadmix_assets.defs.metadata import Cost, clear_errors, figure, markdown_table
from quadmix_assets.defs.proxies import parameter_sets, proxy_metrics
from quadmix_assets.defs.resources import OWNERS, ProjectResource
from quadmix_assets.mix.theta_json import theta_to_json
from quadmix_assets.outputs import OPTIMAL_PARAMS, REGRESSOR
from quadmix_assets.proxies.batches import read_evidence
from quadmix_assets.sampling import feature_names
from quadmix_assets.search.fit import fit_target_regressors, load_predictors
from quadmix_assets.search.metrics import learning_curve
from quadmix_assets.search.objective import objective_losses, objective_predictor
from quadmix_assets.search.optimum import search_random_top_mean
from quadmix_assets.search.plots import (
    plot_feature_importance,
    plot_learning_curve,
    plot_predicted_against_true,
    plot_predicted_histogram,
    plot_theta,
)
from quadmix_assets.seeds import derive_seed
from quadmix_assets.store import MissingOutputError

GROUP = "search"


@dg.asset(
    group_name=GROUP,
    kinds={"lightgbm"},
    owners=OWNERS,
    code_version="1",
    deps=[parameter_sets, proxy_metrics],
)
def regressor(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """One LightGBM model per target set, theta -> loss, judged on proxies that it never saw."""
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError, ValueError):
        evidence = read_evidence(store, settings)
        fitted = fit_target_regressors(store, settings, evidence)
    names = feature_names(settings.criterion_names, settings.domain_names)
    rows: list[dict[str, Any]] = []
    metadata: dict[str, Any] = {}
    for target, fit in fitted.items():
        rows += fit.rows(target)
        metadata |= {
            f"mae_{target}": fit.metrics.mae,
            f"constant_mae_{target}": fit.metrics.constant_mae,
            f"spearman_{target}": fit.metrics.spearman,
            f"predicted_against_true_{target}": figure(
                store,
                REGRESSOR,
                f"predicted_against_true_{target}",
                plot_predicted_against_true(fit.losses[fit.held_out], fit.predicted, title=target),
            ),
            f"importance_{target}": figure(
                store,
                REGRESSOR,
                f"importance_{target}",
                plot_feature_importance(fit.regressor.feature_importance(), names, title=target),
            ),
        }
        context.log.info(
            f"{target}: MAE {fit.metrics.mae:.4f} (a constant: {fit.metrics.constant_mae:.4f}), "
            f"Spearman {fit.metrics.spearman:.3f} on {fit.metrics.n} held-out proxies"
        )
        curve = learning_curve(
            evidence.features,
            fit.losses,
            fit.train,
            fit.held_out,
            seed=derive_seed(settings.seed, "learning_curve") % 2**31,
            n_threads=settings.search.n_threads,
        )
        metadata[f"learning_curve_{target}"] = figure(
            store, REGRESSOR, f"learning_curve_{target}", plot_learning_curve(curve, title=target)
        )
    return dg.MaterializeResult(
        metadata={
            "n_proxies": len(evidence.features),
            "n_failed_left_out": evidence.n_failed,
            "n_stale_left_out": evidence.n_stale,
            "held_out": markdown_table(pl.DataFrame(rows)),
            **metadata,
            "dagster/uri": str(store.root / REGRESSOR),
            **cost.metadata(),
        }
    )


@dg.asset_check(asset=regressor)
def regressor_learned_something(project: ProjectResource) -> dg.AssetCheckResult:
    """Whether the regressors predict held-out losses better than a constant does."""
    settings, store = project.settings, project.store
    metrics = store.read_json(store.path(REGRESSOR, "metrics.json"))
    poor = [t for t in settings.target_names if metrics[t]["mae"] >= metrics[t]["constant_mae"]]
    return dg.AssetCheckResult(
        passed=not poor,
        severity=dg.AssetCheckSeverity.WARN,
        description="every regressor is better than a constant on the held-out proxies"
        if not poor
        else f"the regressor of {', '.join(poor)} is no better than a constant on the held-out "
        "proxies, so theta* is a guess: train more proxies, or each of them longer",
        metadata={f"mae_{target}": metrics[target]["mae"] for target in settings.target_names},
    )


@dg.asset(
    group_name=GROUP,
    kinds={"numpy"},
    owners=OWNERS,
    code_version="1",
    deps=[regressor],
)
def optimal_params(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """theta* per objective: the mean of the best of many thetas by predicted loss."""
    cost = Cost()
    settings, store = project.settings, project.store
    criteria, domains = settings.criterion_names, settings.domain_names
    with clear_errors(MissingOutputError):
        evidence = read_evidence(store, settings)
        predictors = load_predictors(store, settings)
    metadata: dict[str, Any] = {}
    for objective in settings.search.objectives:
        result = search_random_top_mean(
            objective_predictor(objective, predictors),
            n_points=settings.search.n_points,
            top=settings.search.top,
            seed=derive_seed(settings.seed, OPTIMAL_PARAMS),
            n_criteria=len(criteria),
            n_domains=len(domains),
            omega_max=settings.parameters.omega_max,
            lambda_prior=settings.parameters.lambda_prior,
        )
        measured = objective_losses(evidence.metrics, objective)
        theta = result.theta[0]
        prediction = {
            "loss_nats": result.predicted_loss,
            "best_member_loss_nats": float(np.min(result.members_predicted)),
            "mean_is_no_worse": result.mean_is_no_worse,
            "best_measured_proxy_loss_nats": float(measured.min()),
            "n_points": settings.search.n_points,
            "top": settings.search.top,
        }
        store.write_json(
            store.path(OPTIMAL_PARAMS, f"{objective.name}.json"),
            {
                "objective": objective.name,
                "targets": objective.targets,
                "criteria": list(criteria),
                "domains": list(domains),
                "theta": theta_to_json(theta),
                "prediction": prediction,
            },
        )
        context.log.info(
            f"{objective.name}: predicted {result.predicted_loss:.4f}, best proxy measured "
            f"{measured.min():.4f}"
        )
        name = objective.name
        metadata |= {
            f"predicted_loss_{name}": result.predicted_loss,
            f"best_proxy_loss_{name}": float(measured.min()),
            f"predicted_losses_{name}": figure(
                store,
                OPTIMAL_PARAMS,
                f"predicted_losses_{name}",
                plot_predicted_histogram(
                    result.predicted,
                    theta_star=result.predicted_loss,
                    best_measured=float(measured.min()),
                    title=name,
                ),
            ),
            f"theta_{name}": figure(
                store, OPTIMAL_PARAMS, f"theta_{name}", plot_theta(theta, criteria, domains)
            ),
            f"beta_{name}": markdown_table(
                pl.DataFrame(
                    {
                        "domain": domains,
                        **{key: getattr(theta, key) for key in ("lam", "omega", "eta", "epsilon")},
                    }
                )
            ),
        }
    return dg.MaterializeResult(
        metadata={
            **metadata,
            "dagster/uri": str(store.root / OPTIMAL_PARAMS),
            **cost.metadata(),
        }
    )
