"""Figures of raw scores, their rank correlations, and the confidence of domain labels."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from quadmix_assets.figures import (
    BLUE,
    DIVERGING,
    GREY,
    ORANGE,
    legend_below,
    name_cells,
    styled,
    write_cells,
)


@styled
def plot_score_histograms(scores: pl.DataFrame, criteria: Sequence[str]) -> Figure:
    """One histogram of raw scores per criterion, side by side, with the median marked.

    Args:
        scores: one column per criterion, larger is better.
        criteria: the columns to show, in this order.
    """
    n_columns = min(len(criteria), 3)
    n_rows = -(-len(criteria) // n_columns)
    figure = Figure(figsize=(4.2 * n_columns, 3.0 * n_rows))
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for panel, name in zip(axes, criteria, strict=False):
        values = scores[name].drop_nulls().to_numpy()
        panel.set_title(name)
        panel.set_xlabel("raw score, larger is better")
        panel.set_ylabel("documents")
        if len(values):
            panel.hist(values, bins=60, color=BLUE)
            median = float(np.median(values))
            panel.axvline(median, color=GREY, linestyle="--", label=f"median {median:.3g}")
            panel.legend()
    for panel in axes[len(criteria) :]:
        panel.set_visible(False)
    return figure


@styled
def plot_rank_correlation(matrix: np.ndarray | pl.DataFrame, names: Sequence[str]) -> Figure:
    """A heat map of Spearman correlations between criteria, with the numbers in it.

    Args:
        matrix: (N, N) correlations in [-1, 1], or the table that `rank_correlations` returns;
            NaN (a constant criterion) is drawn as a blank cell.
        names: (N,) the criteria, in the order of the matrix.
    """
    if isinstance(matrix, pl.DataFrame):
        matrix = matrix.select(names).to_numpy()
    n = len(names)
    figure = Figure(figsize=(2.6 + 0.9 * n, 1.8 + 0.8 * n))
    panel = figure.subplots()
    image = panel.imshow(matrix, vmin=-1.0, vmax=1.0, cmap=DIVERGING)
    name_cells(panel, names, names)
    write_cells(panel, matrix, np.abs(matrix) > 0.6, size=10)
    figure.colorbar(image, ax=panel, label="Spearman correlation", shrink=0.8)
    return figure


@styled
def plot_confidence(counts: np.ndarray, floor: float) -> Figure:
    """A histogram of the domain labels' confidence, with the floor marked.

    Args:
        counts: (B,) documents in B equal bins of confidence from 0 to 1.
        floor: documents of a smaller confidence are labelled `unknown`; 0 draws no line.
    """
    figure = Figure(figsize=(6.4, 3.4))
    panel = figure.subplots()
    width = 1.0 / len(counts)
    panel.bar(np.arange(len(counts)) * width, counts, width=width, align="edge", color=BLUE)
    if floor > 0:
        label = f"confidence_floor {floor:g}: documents below it are `unknown`"
        panel.axvline(floor, color=ORANGE, linestyle="--", label=label)
        legend_below(figure)
    panel.set_xlim(0.0, 1.0)
    panel.set_xlabel("confidence of the domain label")
    panel.set_ylabel(f"documents, of {int(counts.sum()):,}")
    return figure
