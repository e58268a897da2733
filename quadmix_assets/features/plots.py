"""Figures of scores and domains."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from matplotlib.figure import Figure

_COLOUR = "#3b6ea8"
_GREY = "#666666"


def plot_score_histograms(scores: pl.DataFrame, criteria: Sequence[str]) -> Figure:
    """One histogram of raw scores per criterion, side by side, with the median marked.

    Args:
        scores: one column per criterion, larger is better.
        criteria: the columns to show, in this order.
    """
    n_columns = min(len(criteria), 3)
    n_rows = -(-len(criteria) // n_columns)
    figure = Figure(figsize=(4.2 * n_columns, 3.0 * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for panel, name in zip(axes, criteria, strict=False):
        values = scores[name].drop_nulls().to_numpy()
        panel.set_title(name)
        panel.set_xlabel("raw score, larger is better")
        panel.set_ylabel("documents")
        if len(values):
            panel.hist(values, bins=60, color=_COLOUR)
            median = float(np.median(values))
            panel.axvline(median, color=_GREY, linestyle="--", label=f"median {median:.3g}")
            panel.legend(frameon=False, fontsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in axes[len(criteria) :]:
        panel.set_visible(False)
    return figure


def plot_domain_counts(counts: pl.DataFrame) -> Figure:
    """Bars of each domain's share of documents and of tokens.

    Args:
        counts: columns domain, n_documents, n_tokens; one row per domain, drawn top to bottom.
    """
    figure = Figure(figsize=(7.0, 1.2 + 0.36 * max(counts.height, 1)), layout="constrained")
    panel = figure.subplots()
    y = np.arange(counts.height)
    for offset, column, label, colour in (
        (-0.2, "n_documents", "documents", "#a9c4e4"),
        (0.2, "n_tokens", "tokens", _COLOUR),
    ):
        values = counts[column].to_numpy().astype(np.float64)
        total = values.sum()
        shares = values / total if total else values
        title = f"{label} ({int(total):,} in all)"
        panel.barh(y + offset, 100 * shares, height=0.4, color=colour, label=title)
    panel.set_yticks(y, counts["domain"].to_list())
    panel.invert_yaxis()
    panel.set_xlabel("share of the pool, %")
    panel.legend(frameon=False, fontsize=8)
    panel.spines[["top", "right"]].set_visible(False)
    return figure


def plot_rank_correlation(matrix: np.ndarray | pl.DataFrame, names: Sequence[str]) -> Figure:
    """A heat map of Spearman correlations between criteria, with the numbers in it.

    Args:
        matrix: (N, N) correlations in [-1, 1], or the table that `rank_correlations` gives; NaN,
            where a criterion is constant, stays blank.
        names: (N,) the criteria, in the order of the matrix.
    """
    if isinstance(matrix, pl.DataFrame):
        matrix = matrix.select(names).to_numpy()
    n = len(names)
    figure = Figure(figsize=(2.6 + 0.9 * n, 1.8 + 0.8 * n), layout="constrained")
    panel = figure.subplots()
    image = panel.imshow(matrix, vmin=-1.0, vmax=1.0, cmap="RdBu_r")
    panel.set_xticks(range(n), names, rotation=30, ha="right")
    panel.set_yticks(range(n), names)
    for row, column in np.ndindex(n, n):
        value = float(matrix[row, column])
        colour = "white" if abs(value) > 0.6 else "black"
        text = "–" if np.isnan(value) else f"{value:.2f}"
        panel.text(column, row, text, ha="center", va="center", color=colour)
    figure.colorbar(image, ax=panel, label="Spearman correlation", shrink=0.8)
    return figure
