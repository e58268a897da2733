"""How theta* was found: regressors, the search, and what fresh proxies say of it."""

import polars as pl

from quadmix_assets.outputs import OPTIMAL_PARAMS, OPTIMUM_CHECK, REGRESSOR, VERIFICATION
from quadmix_assets.page.markup import heading, paragraphs, table
from quadmix_assets.page.stored_figures import figures_html
from quadmix_assets.search.fit import read_metrics
from quadmix_assets.search.optimum import read_optimum
from quadmix_assets.search.optimum_check import THETA_STAR, UNIFORM, read_check
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store


def search_html(store: Store, settings: Settings) -> str:
    """The regressors, then objective by objective theta*; empty before anything is fitted."""
    return (
        _regressors(store, settings)
        + figures_html(
            store,
            [
                (
                    OPTIMAL_PARAMS,
                    "shares",
                    "Domains of the pool and of each objective's optimum by the search (compare "
                    "the left half of the paper's Figure 4)",
                ),
                (
                    OPTIMAL_PARAMS,
                    "weights",
                    "Weights of the criteria for each objective (compare the right half of the "
                    "paper's Figure 4)",
                ),
            ],
        )
        + "".join(_objective(store, settings, each.name) for each in settings.objectives)
    )


def _regressors(store: Store, settings: Settings) -> str:
    try:
        metrics = read_metrics(store)
    except MissingOutputError:
        return ""
    targets = [target for target in settings.target_names if target in metrics]
    rows = [
        {
            "target_set": target,
            "error_nats": metrics[target]["mae"]["value"],
            "error_of_a_constant": metrics[target]["constant_mae"],
            "rank_correlation": metrics[target]["spearman"]["value"],
            "lower_end": metrics[target]["spearman"]["low"],
            "upper_end": metrics[target]["spearman"]["high"],
            "held_out_proxies": metrics[target]["n"],
        }
        for target in targets
    ]
    figures = [
        (
            REGRESSOR,
            f"{name}_{target}",
            f"{target}: {words}",
        )
        for target in targets
        for name, words in (
            ("predicted_against_true", "predicted against measured losses of held-out proxies"),
            (
                "learning_curve",
                "error on held-out proxies against the number of proxies (compare the paper's "
                "Figure 3)",
            ),
        )
    ]
    return (
        heading(3, "What the regressors learned")
        + paragraphs(
            "Regressors predict the loss of a proxy from its parameters. Where the error is not "
            "below that of a constant, what the search finds is arbitrary. Intervals are at 90 %."
        )
        + table(
            pl.DataFrame(rows),
            "Errors on proxies that the regressors have not seen; the ends are those of the rank "
            "correlation's interval",
        )
        + figures_html(store, figures)
    )


def _objective(store: Store, settings: Settings, name: str) -> str:
    try:
        _, found = read_optimum(store, settings, name)
    except (MissingOutputError, ValueError):
        return ""
    unit = found["unit"]
    text = (
        f"theta* is the candidate “{found['candidate']}” of a search with {found['n_proxies']:,} "
        f"proxies. The regressors predict {found['predicted_for_other_seeds']:.4f} {unit}"
    )
    if found["measured"] is not None:
        seeds = found["measured_seeds"]
        text += f"; measured with {seeds} fresh {'seed' if seeds == 1 else 'seeds'} it reaches "
        text += f"{found['measured']:.4f}"
        if found["measured_low"] is not None:
            text += f" ({found['measured_low']:.4f} to {found['measured_high']:.4f})"
    text += (
        f". The best proxy of the swarm measured {found['best_proxy_measured']:.4f}, which is "
        "partly luck: it was chosen for it."
    )
    figures = [
        (VERIFICATION, f"heats_{name}", "Candidates for theta*, measured in heats"),
        (OPTIMAL_PARAMS, f"trace_{name}", "The best prediction along the search"),
        (
            OPTIMUM_CHECK,
            f"check_{name}",
            "theta* against what it has to beat, on texts by which nothing was chosen",
        ),
    ]
    return (
        heading(3, f"theta* of the objective {name}")
        + paragraphs(text)
        + _check(store, settings, name)
        + figures_html(store, figures)
    )


def _check(store: Store, settings: Settings, name: str) -> str:
    """theta* against baselines, by proxies of their own; empty where that was not measured."""
    try:
        check = read_check(store, settings, name)
    except (MissingOutputError, ValueError):
        return ""
    rows = [
        {
            "trained_on": "random documents" if sample == UNIFORM else sample,
            "predicted": check.predicted.get(sample),
            "measured": check.mean(sample).brief,
            "theta* gains": "" if sample == THETA_STAR else check.gain_over(sample).gain.brief,
            "n_seeds": check.mean(sample).seeds,
        }
        for sample in check.on_proof
    ]
    return table(
        pl.DataFrame(rows, infer_schema_length=None),
        f"Proxies trained on samples of {check.tokens:,.0f} expected tokens, in "
        f"{check.objective.unit}, lower is better; ± is half a 90 % interval over seeds",
        bold=(THETA_STAR,),
    )
