"""Figures of the comparison of mixes by their models."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from quadmix_assets.comparison.pairs import win_rate_matrix
from quadmix_assets.evidence.words import measure_in_words
from quadmix_assets.figures import (
    BLUE,
    DARK_BLUE,
    DIVERGING,
    GREY,
    ORANGE,
    grid_of_panels,
    name_cells,
    new_axes,
    styled,
    write_cells,
)

_ROW_INCHES = 0.3
_PANELS_PER_ROW = 2
_MOST_NUMBERS = 16


@styled
def plot_gains(methods: pl.DataFrame, measures: Sequence[str], units: Mapping[str, str]) -> Figure:
    """What every mix gains over random documents, with its interval; one panel per measure.

    Without a random mix it is what it gains over the mix in production. Right is better.

    Args:
        methods: a table of methods.
        measures: names of its measures.
        units: of those that are losses; the others are shares of questions.
    """
    figure, panels = grid_of_panels(
        len(measures), _PANELS_PER_ROW, 5.2, 1.5 + _ROW_INCHES * methods.height
    )
    for axes, measure in zip(panels, measures, strict=True):
        rows = _gains(methods, measure, units.get(measure, "share of questions")).sort(
            pl.col("gain").fill_null(0.0)
        )
        # Without a gain, such as of the mix that others are compared with, it is zero itself.
        for y, (gain, low, high, is_production) in enumerate(
            rows.select("gain", "low", "high", "is_production").iter_rows()
        ):
            colour = ORANGE if is_production else BLUE
            if gain is None:
                axes.scatter([0.0], [y], s=22, facecolors="none", edgecolors=GREY, zorder=3)
                continue
            if low is not None:
                axes.hlines(y, low, high, color=colour, linewidth=2)
            axes.scatter([gain], [y], s=26, color=colour, zorder=3)
        axes.axvline(0.0, color=GREY, linewidth=1)
        axes.set_yticks(range(rows.height), rows["mix"].to_list())
        axes.set_ylim(-0.6, rows.height - 0.4)
        axes.set_title(measure_in_words(measure))
        axes.set_xlabel(rows["words"][0] if rows.height else "gain")
    return figure


def _gains(methods: pl.DataFrame, measure: str, unit: str) -> pl.DataFrame:
    """Columns mix, is_production, gain, low, high, words."""
    over_random = methods[f"over_random[{measure}]"].is_not_null().any()
    name, sign = ("over_random", 1.0) if over_random else ("production_gain", -1.0)
    ends = ("low", "high") if over_random else ("high", "low")
    other = "random documents" if over_random else "production"
    return methods.select(
        "mix",
        "is_production",
        (sign * pl.col(f"{name}[{measure}]")).alias("gain"),
        (sign * pl.col(f"{name}_{ends[0]}[{measure}]")).alias("low"),
        (sign * pl.col(f"{name}_{ends[1]}[{measure}]")).alias("high"),
        pl.lit(f"gain over {other}\n({unit}, 90 % interval)").alias("words"),
    )


@styled
def plot_budgets(means: pl.DataFrame, measure: str, *, smaller_is_better: bool = True) -> Figure:
    """The rank of every mix after each training budget, the best on top; lines join a mix.

    Args:
        means: columns mix, budget, mean.
        measure: of which.
        smaller_is_better: whether the smallest mean has the first rank.
    """
    budgets = means["budget"].unique().sort().to_list()
    order = pl.col("mean").rank("ordinal", descending=not smaller_is_better).over("budget")
    ranks = means.with_columns(order.alias("rank"))
    n = means["mix"].n_unique()
    figure, axes = new_axes(
        measure_in_words(measure), 6.4 + 1.2 * max(len(budgets) - 2, 0), 1.6 + _ROW_INCHES * n
    )
    last = ranks.filter(pl.col("budget") == budgets[-1]) if budgets else ranks
    for mix in means["mix"].unique(maintain_order=True):
        rows = ranks.filter(pl.col("mix") == mix).sort("budget")
        places = [budgets.index(budget) for budget in rows["budget"]]
        axes.plot(places, rows["rank"].to_list(), marker="o", markersize=5)
    if budgets:
        left = ranks.filter(pl.col("budget") == budgets[0]).sort("rank")
        axes.set_yticks(left["rank"].to_list(), left["mix"].to_list())
        right = axes.secondary_yaxis("right")
        right.set_yticks(last["rank"].to_list(), last["mix"].to_list())
        right.tick_params(length=0)
        right.spines[:].set_visible(False)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xticks(range(len(budgets)), [f"{budget:,}" for budget in budgets])
    axes.set_xlim(-0.15, max(len(budgets) - 1, 0) + 0.15)
    axes.set_xlabel("training tokens")
    return figure


@styled
def plot_win_rates(pairs: pl.DataFrame, mixes: Sequence[str], measure: str) -> Figure:
    """A heat map: how often the mix of the row is better than that of the column.

    Args:
        pairs: of one measure, model, budget and group of mixes.
        mixes: their names, in the order of rows and columns.
        measure: of which.
    """
    table = win_rate_matrix(pairs, mixes)
    side = 2.8 + 0.56 * len(mixes)
    figure, axes = new_axes(
        f"Win rates, {measure_in_words(measure)}", side + 0.9, max(side - 0.6, 3.2)
    )
    image = axes.imshow(table, vmin=0.0, vmax=1.0, cmap=DIVERGING.removesuffix("_r"), aspect="auto")
    if len(mixes) < _MOST_NUMBERS:
        write_cells(axes, table, np.abs(table - 0.5) > 0.35, missing="")
    name_cells(axes, mixes, mixes)
    axes.set_xticks(range(len(mixes)), mixes, rotation=90, ha="center", rotation_mode="default")
    axes.set_xlabel("against", color=DARK_BLUE)
    figure.colorbar(image, ax=axes, label="pairs of set and seed won", shrink=0.9)
    return figure
