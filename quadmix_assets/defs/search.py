"""Group `search`: regressors from theta to loss, and the search for theta*."""

from collections.abc import Sequence
from enum import Enum
from typing import Any

import dagster as dg
import polars as pl
from pydantic import Field
from threadpoolctl import threadpool_limits

from quadmix_assets.defs.choice import choice_metadata
from quadmix_assets.defs.conditions import PINNED, PINNED_AFTER_ALL
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import Cost, clear_errors, figure, markdown_table, readable_table
from quadmix_assets.defs.noise import noise_metadata
from quadmix_assets.defs.proxies import parameter_sets, proxy_evaluation, proxy_metrics, proxy_pool
from quadmix_assets.defs.proxy_repeats import proxy_repeats
from quadmix_assets.defs.refinement import GROUP, refinement
from quadmix_assets.defs.resources import OWNERS, ProjectResource, version_of
from quadmix_assets.outputs import OPTIMAL_PARAMS, REGRESSOR
from quadmix_assets.proxies.evidence import read_evidence
from quadmix_assets.sampling import Parameters
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.candidates import Candidate
from quadmix_assets.search.constraints import InfeasibleError
from quadmix_assets.search.find import Optimum, domain_shares, find_candidates, find_optima
from quadmix_assets.search.fit import (
    TargetFit,
    fit_target_regressors,
    load_regressors,
    make_regressor_inputs,
    measured_inputs,
    poor_regressors,
    read_metrics,
)
from quadmix_assets.search.noise import read_weighed
from quadmix_assets.search.optimum import previous_optima, search_settings, write_optimum
from quadmix_assets.search.optimum_plots import (
    plot_shares_of_optima,
    plot_theta_in_swarm,
    plot_trace,
    plot_weights_of_optima,
)
from quadmix_assets.search.plots import (
    plot_input_importance,
    plot_learning_curve,
    plot_predicted_against_true,
    plot_predicted_histogram,
    plot_theta,
)
from quadmix_assets.search.regressors.base import ExplainsInputs
from quadmix_assets.search.reuse import read_reused
from quadmix_assets.search.rounds import table_of_rounds
from quadmix_assets.search.space import make_space
from quadmix_assets.search.strategies.registry import STRATEGIES
from quadmix_assets.settings import Settings, SettingsError, with_search
from quadmix_assets.store import MissingOutputError, Store

# The launchpad offers the members of an enumeration.
Strategy = Enum("Strategy", {kind: kind for kind in STRATEGIES.kinds})  # type: ignore[misc]


class SearchConfig(dg.Config):
    """What one search may do differently from the settings."""

    n_points: int | None = Field(
        default=None,
        ge=1,
        description="thetas whose losses the search predicts, in each of its stages; empty: as "
        "search.n_points says",
    )
    strategy: Strategy | None = Field(
        default=None,
        description="how theta* is searched; empty: as search.strategy says. A kind that the "
        "settings do not name has its default options",
    )


@dg.asset(
    group_name=GROUP,
    kinds={"lightgbm", "scikitlearn"},
    owners=OWNERS,
    code_version=version_of(REGRESSOR, 4),
    deps=[
        *(parameter_sets, proxy_metrics, proxy_evaluation, proxy_repeats, refinement, proxy_pool)
    ],
    automation_condition=PINNED_AFTER_ALL,
)
@faults_in_words
def regressor(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """One regressor per target set, theta -> loss, evaluated on held-out proxies.

    LightGBM in the paper; error against the number of proxies is its Figure 3. Losses that were
    measured with another version of proxy pool, thetas, target sets or training recipe are left
    out. If it is no better than the constant baseline, theta* is arbitrary: train more proxies, or
    each of them longer.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError, ValueError), _threads(settings):
        evidence = read_evidence(store, settings)
        inputs = make_regressor_inputs(store, settings)
        reused = read_reused(store, settings, evidence, inputs)
        fitted = fit_target_regressors(store, settings, evidence, inputs, reused)
    context.log.info(f"reused: {reused}")
    rows: list[dict[str, Any]] = []
    metadata: dict[str, Any] = {}
    for target, fit in fitted.items():
        rows += fit.rows(target)
        metadata |= _evaluated(store, settings, target, fit, inputs.names)
        context.log.info(
            f"{target}: MAE {fit.metrics.mae} (constant baseline: {fit.metrics.constant_mae:.4g}), "
            f"Spearman {fit.metrics.spearman} on {fit.metrics.n} held-out proxies"
        )
    return materialized(
        project,
        REGRESSOR,
        {
            "n_proxies": len(evidence.theta_ids),
            "n_failed_left_out": evidence.n_failed,
            "n_stale_left_out": evidence.n_stale,
            "n_reused": len(reused),
            "reused": str(reused),
            "n_regressor_inputs": len(inputs.names),
            "rounds": readable_table(table_of_rounds(evidence, settings.objectives)),
            "held_out": readable_table(pl.DataFrame(rows)),
            **choice_metadata(settings, evidence, fitted),
            **noise_metadata(store, settings, evidence),
            **metadata,
            "dagster/uri": str(store.root / REGRESSOR),
            **cost.metadata(),
        },
    )


def _evaluated(
    store: Store, settings: Settings, target: str, fit: TargetFit, input_names: Sequence[str]
) -> dict[str, Any]:
    """Errors and figures of the regressor of one target set."""
    curve = fit.learning_curve(settings)
    figures = {
        "predicted_against_true": plot_predicted_against_true(
            fit.losses[fit.held_out], fit.predicted, title=target
        ),
        "learning_curve": plot_learning_curve(
            curve, constant_mae=fit.metrics.constant_mae, title=target
        ),
    }
    if isinstance(fit.regressor, ExplainsInputs):
        figures["importance"] = plot_input_importance(
            fit.regressor.input_importance(), input_names, title=target
        )
    return {
        f"mae_{target}": fit.metrics.mae.value,
        f"constant_mae_{target}": fit.metrics.constant_mae,
        f"spearman_{target}": fit.metrics.spearman.value,
        **{
            f"{name}_{target}": figure(store, REGRESSOR, f"{name}_{target}", fig)
            for name, fig in figures.items()
        },
    }


@dg.asset_check(asset=regressor)
@faults_in_words
def regressor_learned_something(project: ProjectResource) -> dg.AssetCheckResult:
    """Whether the regressors predict held-out losses better than the constant baseline."""
    settings, store = project.settings, project.store
    metrics = read_metrics(store)
    errors = {target: metrics[target]["mae"]["value"] for target in settings.target_names}
    poor = poor_regressors(metrics, settings.target_names)
    return dg.AssetCheckResult(
        passed=not poor,
        severity=dg.AssetCheckSeverity.ERROR,
        description="every regressor is better than the constant baseline on the held-out proxies"
        if not poor
        else f"the regressor of {', '.join(poor)} is no better than the constant baseline on the "
        "held-out proxies, so that theta* is arbitrary: train more proxies, or each of them longer",
        metadata={f"mae_{target}": error for target, error in errors.items()},
    )


@dg.asset_check(asset=regressor)
@faults_in_words
def evidence_is_current(project: ProjectResource) -> dg.AssetCheckResult:
    """Whether all proxies were trained with the current proxy pool, thetas, target sets, recipe."""
    evidence = read_evidence(project.store, project.settings)
    return dg.AssetCheckResult(
        passed=evidence.n_stale == 0,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"all {len(evidence.theta_ids)} proxies are current"
        if evidence.n_stale == 0
        else f"{evidence.n_stale} proxies are left out, because they were trained with another "
        "version of proxy pool, thetas, target sets or recipe than the "
        f"{len(evidence.theta_ids)} current ones: materialise their partitions of merged_ranks, "
        "sampled_subset and proxy_metrics again",
        metadata={"n_current": len(evidence.theta_ids), "n_stale": evidence.n_stale},
    )


@dg.asset(
    group_name=GROUP,
    kinds={"numpy"},
    owners=OWNERS,
    code_version=version_of(OPTIMAL_PARAMS, 4),
    deps=[regressor, proxy_pool],
    automation_condition=PINNED,
)
@faults_in_words
def optimal_params(
    context: dg.AssetExecutionContext, config: SearchConfig, project: ProjectResource
) -> dg.MaterializeResult:
    """What the search finds per objective: its own optimum, and all candidates for theta*.

    The paper predicts 100,000 thetas of Algorithm 1 and takes the mean of the best 10
    (`search.strategy: random_top_mean`); shares and weights of the optima are its Figure 4. Other
    ways to choose name further candidates (`search.verify`), and `verification` measures which of
    them is theta*. Materialise it again after changing objectives or constraints.
    """
    cost = Cost()
    store = project.store
    with clear_errors(SettingsError):
        settings = with_search(
            project.settings,
            n_points=config.n_points,
            strategy=config.strategy.value if config.strategy else None,
        )
    criteria, domains = settings.criterion_names, settings.domain_names
    metadata: dict[str, Any] = {}
    with clear_errors(MissingOutputError, InfeasibleError, ValueError), _threads(settings):
        settings, evidence, _ = read_weighed(store, settings)
        space = make_space(store, settings)
        regressors = load_regressors(store, settings)
        inputs_of = make_regressor_inputs(store, settings)
        optima = find_optima(settings, evidence, space, regressors, inputs_of)
        candidates = find_candidates(
            settings,
            evidence,
            space,
            regressors,
            inputs_of,
            measured_inputs(store, settings, evidence, inputs_of),
            optima,
            previous_optima(store, settings),
        )
    for name, optimum in optima.items():
        write_optimum(store, settings, name, optimum, candidates[name])
        metadata[f"candidates_{name}"] = _table_of(candidates[name])
        metadata |= _found(store, settings, optimum, evidence.parameters, space.n_tokens)
        result = optimum.result
        context.log.info(
            f"{name}: predicted {result.predicted:.4f} ± {result.standard_deviation:.4f}, best "
            f"proxy measured {optimum.measured.min():.4f} {optimum.objective.unit}"
            + ("" if result.mean_is_no_worse else "; the mean of the best thetas is worse")
        )
    tokens = space.n_tokens
    thetas = {name: optimum.result.theta[0] for name, optimum in optima.items()}
    shares = {name: domain_shares(theta, tokens) for name, theta in thetas.items()}
    figures = {
        "shares": plot_shares_of_optima(shares, tokens / tokens.sum(), domains),
        "weights": plot_weights_of_optima(thetas, shares, criteria),
    }
    return materialized(
        project,
        OPTIMAL_PARAMS,
        {
            **{name: figure(store, OPTIMAL_PARAMS, name, fig) for name, fig in figures.items()},
            **metadata,
            "launched_with": dg.MetadataValue.json(search_settings(settings)),
            "dagster/uri": str(store.root / OPTIMAL_PARAMS),
            **cost.metadata(),
        },
    )


def _table_of(candidates: Sequence[Candidate]) -> dg.MetadataValue:
    return markdown_table(
        pl.DataFrame(
            [
                {
                    "candidate": one.name,
                    "predicted": one.predicted,
                    "standard_deviation": one.standard_deviation,
                }
                for one in candidates
            ]
        )
    )


def _threads(settings: Settings) -> threadpool_limits:
    """Linear algebra with the settings' number of threads, as that can change last bits."""
    return threadpool_limits(settings.search.n_threads)


def _found(
    store: Store, settings: Settings, optimum: Optimum, swarm: Parameters, pool: FloatArray
) -> dict[str, Any]:
    """Predictions and figures of one objective's theta*."""
    criteria, domains = settings.criterion_names, settings.domain_names
    objective, result = optimum.objective, optimum.result
    name, theta, best = objective.name, result.theta[0], float(optimum.measured.min())
    figures = {
        "predicted_losses": plot_predicted_histogram(
            result.drawn_predicted,
            theta_star=result.predicted,
            best_measured=best,
            unit=objective.unit,
            title=name,
        ),
        "trace": plot_trace(result.trace, best_measured=best, unit=objective.unit, title=name),
        "theta": plot_theta(theta, criteria, domains, pool),
        "theta_in_swarm": plot_theta_in_swarm(theta, swarm, criteria, domains, name, pool),
    }
    beta = {key: values[0] for key, values in result.theta.beta.items()}
    return {
        f"predicted_{name}": result.predicted,
        f"standard_deviation_{name}": result.standard_deviation,
        f"best_proxy_{name}": best,
        f"mean_of_best_{name}": dg.MetadataValue.text(
            f"{result.mean_predicted:.4f}, "
            + ("no worse" if result.mean_is_no_worse else "worse")
            + " than the thetas it averages"
        ),
        **{
            f"{key}_{name}": figure(store, OPTIMAL_PARAMS, f"{key}_{name}", fig)
            for key, fig in figures.items()
        },
        f"beta_{name}": markdown_table(pl.DataFrame({"domain": domains, **beta})),
    }
