"""The common style of all figures: colours, sizes, spines and legends.

Functions that draw are decorated with `styled`, which applies the style to their figures and leaves
the settings of matplotlib in the rest of the process unchanged.
"""

import io
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE = "#2f6db5"
ORANGE = "#d9732b"
GREEN = "#3f8f5f"
PURPLE = "#8a5aa8"
RED = "#b0455f"
# For more series: distinguishable in print and by most colour-blind readers.
SERIES = (BLUE, ORANGE, GREEN, PURPLE, RED, "#8c6d31", "#4aa3b5", "#5b6470")
LIGHT_BLUE = "#a9c4e4"
DARK_BLUE = "#20344f"
# For baselines: the pool, a constant, zero error.
GREY = "#7a828c"
LIGHT_GREY = "#c9ced6"
# For grids.
FAINT = "#eeeeee"
# Text on light cells, which stays dark where a page turns black texts into light ones.
INK = "#1b1f24"

DIVERGING = "RdBu_r"
SEQUENTIAL = "Blues"

# Inches per row of labels, for figures that grow with the number of domains.
ROW_HEIGHT = 0.27

_STYLE: dict[Any, Any] = {
    "figure.constrained_layout.use": True,
    "axes.prop_cycle": cycler(color=SERIES),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.4,
}

P = ParamSpec("P")


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Decorator: apply the common style to the figure that `draw` returns."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return drawn


def png_of(figure: Figure) -> bytes:
    """The figure as PNG; equal figures have equal bytes."""
    buffer = io.BytesIO()
    # Without the library's version in the header.
    figure.savefig(buffer, format="png", dpi=100, bbox_inches="tight", metadata={"Software": None})
    return buffer.getvalue()


def svg_of(figure: Figure, name: str) -> bytes:
    """The figure as SVG without a background, its texts as text; equal ones have equal bytes.

    Args:
        figure: to draw.
        name: unique among the figures of a page, because the ids in the SVG follow from it.
    """
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(
            buffer,
            format="svg",
            dpi=150,  # of heat maps, which are images in it
            bbox_inches="tight",
            transparent=True,
            metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")),
        )
    return buffer.getvalue()


def new_axes(title: str, width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one panel; width and height in inches."""
    figure = Figure(figsize=(width, height))
    axes = figure.subplots()
    axes.set_title(title)
    return figure, axes


def legend_below(figure: Figure, n_columns: int = 3) -> None:
    """One legend for all panels, below the figure, where it hides nothing."""
    figure.legend(loc="outside lower center", ncols=n_columns)


def write_cells(
    axes: Axes, values: np.ndarray, white: np.ndarray, *, size: float = 8, missing: str = "–"
) -> None:
    """Write the values into the cells of a heat map, with two decimals.

    Args:
        axes: where `imshow` has drawn `values`.
        values: (rows, columns).
        white: (rows, columns) bool, whether the text is white, for dark cells.
        size: of the font, in points.
        missing: text for NaN.
    """
    for (row, column), value in np.ndenumerate(values):
        text = missing if np.isnan(value) else f"{value:.2f}"
        colour = "white" if white[row, column] else INK
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)


def name_cells(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Label the rows and columns of a heat map, and remove its frame."""
    axes.set_xticks(range(len(columns)), columns, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def held(*amounts: np.ndarray) -> np.ndarray:
    """The domains (k,) of which one of the amounts (M,) is above zero; all M if none is.

    Figures leave the others out.
    """
    found = np.flatnonzero(np.any([np.asarray(amount) > 0 for amount in amounts], axis=0))
    return found if len(found) else np.arange(len(amounts[0]))


def with_left_out(label: str, n_left_out: int) -> str:
    """The label of an axis, with the number of domains that the figure leaves out below it."""
    if not n_left_out:
        return label
    domains = "1 domain" if n_left_out == 1 else f"{n_left_out} domains"
    return f"{label}\n({domains} without documents left out)"


def grid_of_panels(
    n: int, n_columns: int, width: float, height: float
) -> tuple[Figure, list[Axes]]:
    """A figure with n panels in rows of at most n_columns; width and height of one in inches."""
    columns = max(min(n, n_columns), 1)
    rows = max(-(-n // columns), 1)
    figure = Figure(figsize=(width * columns, height * rows))
    panels = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for panel in panels[n:]:
        panel.remove()
    return figure, panels[:n]
