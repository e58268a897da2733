"""Figures that the report draws itself."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from quadmix_assets.evidence.words import METRICS, SETS
from quadmix_assets.figures import BLUE, GREY, SERIES, legend_below, styled

LOSSES_BY_BUDGET = "losses_by_budget"
_STYLES = ("-", "--", ":")


@styled
def plot_losses_by_budget(results: pl.DataFrame, production: str) -> Figure:
    """The mean loss of every mix over the sets of each kind against the training budget.

    Bars show the lowest and the highest of the seeds.

    Args:
        results: columns mix, budget, seed, set, kind, value, the last in nats per token; of every
            mix, budget and seed the same sets.
        production: name of the mix that stands out.
    """
    by_seed = results.group_by("kind", "mix", "budget", "seed", maintain_order=True).agg(
        pl.col("value").mean()
    )
    kinds = [kind for kind in SETS if kind in by_seed["kind"].unique()]
    mixes = by_seed["mix"].unique(maintain_order=True).to_list()
    figure = Figure(figsize=(4.6 * len(kinds) + 0.6, 4.4 + 0.2 * (len(mixes) // 4)))
    panels = figure.subplots(1, len(kinds), squeeze=False).ravel()
    for axes, kind in zip(panels, kinds, strict=True):
        of_kind = by_seed.filter(kind=kind)
        _draw(axes, of_kind, mixes, production)
        axes.set_title(f"Mean over {SETS[kind]}")
    # One legend for all panels.
    for axes in panels[1:]:
        for container in axes.containers:
            container.set_label("_")
    panels[0].set_ylabel(METRICS["loss_nats"])
    legend_below(figure, n_columns=4)
    return figure


def _draw(axes: Axes, losses: pl.DataFrame, mixes: Sequence[str], production: str) -> None:
    for number, mix in enumerate(mixes):
        table = (
            losses.filter(mix=mix)
            .group_by("budget")
            .agg(
                pl.col("value").mean().alias("mean"),
                pl.col("value").min().alias("low"),
                pl.col("value").max().alias("high"),
            )
            .sort("budget")
        )
        budgets, mean, low, high = (
            table[name].to_numpy() for name in ("budget", "mean", "low", "high")
        )
        is_production = mix == production
        axes.errorbar(
            budgets,
            mean,
            yerr=np.stack([mean - low, high - mean]),
            color=BLUE if is_production else _colour(number, mix),
            linewidth=2.6 if is_production else 1.1,
            linestyle=_STYLES[number // len(SERIES) % len(_STYLES)],
            zorder=3 if is_production else 2,
            marker="o",
            markersize=4,
            label=mix,
        )
    axes.set_xscale("log")
    ticks = losses["budget"].unique().sort().to_list()
    axes.set_xticks(ticks, [f"{budget:,}" for budget in ticks])
    axes.minorticks_off()
    axes.set_xlabel("training tokens")


def _colour(number: int, mix: str) -> str:
    return GREY if mix == "random" else SERIES[1 + number % (len(SERIES) - 1)]
