"""Figures of mixes side by side: their domains, what they prefer, and what they have in common."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from quadmix_assets.figures import (
    DIVERGING,
    SEQUENTIAL,
    held,
    name_cells,
    styled,
    with_left_out,
    write_cells,
)

_ROW_INCHES = 0.34
_LABEL_INCHES = 2.6
# Numbers in the cells of wider maps would not be readable.
_MOST_NUMBERS = 16


@styled
def plot_domains_of_mixes(domains: pl.DataFrame) -> Figure:
    """A heat map of domain by mix: the share of the mix's tokens, the pool in the first column.

    Domains come largest in the pool first; those without tokens are left out.

    Args:
        domains: that of `MixComparison`.
    """
    mixes = _names(domains, "mix")
    names = _names(domains, "domain")
    shares = _matrix(domains, "domain", "share").T
    pool = domains.group_by("domain", maintain_order=True).agg(pl.col("share_pool").mean())
    table = np.column_stack([pool["share_pool"].to_numpy(), shares])
    shown = held(*table.T)
    order = shown[np.argsort(-table[shown, 0], kind="stable")]
    percent = 100 * table[order]
    figure, axes = _map_axes(len(order), 1 + len(mixes), 0.62)
    top = float(percent.max(initial=0.0)) or 1.0
    image = axes.imshow(percent, vmin=0.0, vmax=top, cmap=SEQUENTIAL, aspect="auto")
    axes.axvline(0.5, color="white", linewidth=3)
    if len(mixes) < _MOST_NUMBERS:
        write_cells(axes, percent, percent > 0.6 * top, size=7.5)
    _name_cells(axes, [names[place] for place in order], ["pool", *mixes])
    axes.set_title("Domains")
    axes.set_xlabel(with_left_out("", len(names) - len(order)).strip())
    figure.colorbar(image, ax=axes, label="share of tokens (%)", shrink=0.8)
    return figure


@styled
def plot_criteria_of_mixes(criteria: pl.DataFrame) -> Figure:
    """A heat map of mix by criterion: how far the mix's mean score is from that of the pool.

    Args:
        criteria: that of `MixComparison`; scores that a mix lacks are blank.
    """
    deviation = pl.when(pl.col("deviation_pool") > 0).then(pl.col("deviation_pool"))
    distances = criteria.with_columns(
        ((pl.col("mean") - pl.col("mean_pool")) / deviation).alias("distance")
    )
    table = _matrix(distances, "criterion", "distance")
    mixes, names = _names(criteria, "mix"), _names(criteria, "criterion")
    figure, axes = _map_axes(len(mixes), len(names), 0.95)
    reach = float(np.nanmax(np.abs(table), initial=0.0)) or 1.0
    image = axes.imshow(table, vmin=-reach, vmax=reach, cmap=DIVERGING, aspect="auto")
    if len(names) < _MOST_NUMBERS:
        write_cells(axes, table, np.abs(table) > 0.65 * reach)
    name_cells(axes, mixes, names)
    axes.set_title("Mean scores")
    label = "distance from the pool's mean\n(standard deviations of the pool)"
    figure.colorbar(image, ax=axes, label=label, shrink=0.9)
    return figure


@styled
def plot_overlaps_of_mixes(overlaps: pl.DataFrame) -> Figure:
    """A heat map of mix by mix: tokens that both hold of the tokens that either holds (Jaccard).

    Args:
        overlaps: that of `MixComparison`.
    """
    mixes = _names(overlaps, "mix")
    table = _matrix(overlaps, "other", "jaccard")
    figure, axes = _map_axes(len(mixes), len(mixes), 0.62)
    image = axes.imshow(table, vmin=0.0, vmax=1.0, cmap=SEQUENTIAL, aspect="auto")
    if len(mixes) < _MOST_NUMBERS:
        write_cells(axes, table, table > 0.6)
    _name_cells(axes, mixes, mixes)
    axes.set_title("Overlap\n(tokens in both, of those in either)")
    figure.colorbar(image, ax=axes, label="Jaccard by tokens", shrink=0.9)
    return figure


def _map_axes(n_rows: int, n_columns: int, column_inches: float) -> tuple[Figure, Axes]:
    """A figure with one heat map of this many cells, with room for labels and a colour bar."""
    width = _LABEL_INCHES + 1.2 + column_inches * n_columns
    figure = Figure(figsize=(width, max(1.9 + _ROW_INCHES * n_rows, 3.4)))
    return figure, figure.subplots()


def _name_cells(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Label a heat map; names of mixes may be too long to be slanted side by side."""
    name_cells(axes, rows, columns)
    axes.set_xticks(range(len(columns)), columns, rotation=90, ha="center", rotation_mode="default")


def _names(table: pl.DataFrame, column: str) -> Sequence[str]:
    return table[column].unique(maintain_order=True).to_list()


def _matrix(table: pl.DataFrame, column: str, value: str) -> np.ndarray:
    """Values as (mixes, names of a column); NaN for null. Rows of the table come mix by mix."""
    shape = (len(_names(table, "mix")), len(_names(table, column)))
    return table[value].cast(pl.Float64).fill_null(float("nan")).to_numpy().reshape(shape)
