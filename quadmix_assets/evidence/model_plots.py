"""Figures of the language models of a mix."""

import polars as pl
from matplotlib.figure import Figure

from quadmix_assets.figures import SERIES, grid_of_panels, styled

_PANELS_PER_ROW = 3


@styled
def plot_training_curves(curves: pl.DataFrame) -> Figure:
    """Training loss over tokens: one panel per budget, one line per model.

    Args:
        curves: columns of CURVES_SCHEMA.
    """
    budgets = curves["budget"].unique().sort().to_list()
    figure, panels = grid_of_panels(max(1, len(budgets)), _PANELS_PER_ROW, 4.4, 3.4)
    for axes, budget in zip(panels, budgets, strict=False):
        of_budget = curves.filter(pl.col("budget") == budget)
        for (seed,), of_model in of_budget.group_by("seed", maintain_order=True):
            axes.plot(
                of_model["n_tokens"],
                of_model["loss_nats"],
                label=f"seed {seed}",
                color=SERIES[int(str(seed)) % len(SERIES)],
                linewidth=1.0,
            )
        axes.set(
            title=f"{budget:,} tokens",
            xlabel="tokens trained on",
            ylabel="training loss (nats per token)",
        )
        axes.legend()
    return figure
