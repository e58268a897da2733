"""The figure of the verification: what was measured of every candidate in which heat."""

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from quadmix_assets.figures import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    ROW_HEIGHT,
    legend_below,
    styled,
)


@styled
def plot_heats(ranking: pl.DataFrame, *, unit: str, title: str) -> Figure:
    """The candidates for theta*, the winner on top: measured with intervals, and predicted.

    Args:
        ranking: columns candidate, heat, seeds, mean, low, high, predicted, the winner first.
        unit: of the objective.
        title: name of the objective.
    """
    figure = Figure(figsize=(6.8, 1.6 + ROW_HEIGHT * ranking.height))
    axes = figure.subplots()
    rows = np.arange(ranking.height)[::-1]
    mean, low, high, predicted = (
        ranking[name].cast(pl.Float64).to_numpy() for name in ("mean", "low", "high", "predicted")
    )
    last = ranking["heat"].max()
    in_last = (ranking["heat"] == last).to_numpy()
    for members, color, label in (
        (in_last, GREEN, "measured, left in the last heat"),
        (~in_last, BLUE, "measured, left out before"),
    ):
        known = members & np.isfinite(mean)
        axes.scatter(mean[known], rows[known], color=color, zorder=3, label=label)
        known &= np.isfinite(low)
        axes.hlines(rows[known], low[known], high[known], color=color, linewidth=1.5)
    axes.scatter(predicted, rows, marker="D", color=ORANGE, label="predicted for other seeds")
    if np.isfinite(mean[0]):
        axes.axvline(mean[0], color=GREY, linewidth=0.8, linestyle="--")
    names = [f"{name} ({n})" for name, n in ranking.select("candidate", "seeds").iter_rows()]
    axes.set_yticks(rows, names)
    axes.set_xlabel(f"objective ({unit}), lower is better")
    axes.set_title(f"Candidates for theta* (seeds): {title}")
    legend_below(figure, n_columns=2)
    return figure
