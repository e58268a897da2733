"""Figures: that they draw what they are given."""

import io

import numpy as np
import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from quadmix_assets.features.report.plots import (
    plot_confidence,
    plot_rank_correlation,
    plot_score_histograms,
)


def _render(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=50)
    return file.getvalue()


def _bars(panel: Axes) -> list[Rectangle]:
    return [patch for patch in panel.patches if isinstance(patch, Rectangle)]


def test_histograms_hold_every_document_once() -> None:
    scores = pl.DataFrame({"a": np.linspace(0, 1, 50), "b": [3.0] * 50, "c": [0.0] * 50})
    figure = plot_score_histograms(scores, ["b", "a"])
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [panel.get_title() for panel in panels] == ["b", "a"]
    for panel in panels:
        assert sum(bar.get_height() for bar in _bars(panel)) == 50
    assert _render(figure)


@pytest.mark.parametrize("n", [1, 4])
def test_histograms_without_documents(n: int) -> None:
    names = [f"c{k}" for k in range(n)]
    empty = pl.DataFrame(schema=dict.fromkeys(names, pl.Float64))
    assert _render(plot_score_histograms(empty, names))


@pytest.mark.parametrize("as_table", [False, True])
def test_correlations_are_written_into_their_cells(as_table: bool) -> None:
    matrix = np.array([[1.0, -0.25], [-0.25, np.nan]])
    table = pl.DataFrame({"criterion": ["a", "b"], "a": matrix[:, 0], "b": matrix[:, 1]})
    figure = plot_rank_correlation(table if as_table else matrix, ["a", "b"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["1.00", "-0.25", "-0.25", "–"]
    assert _render(figure)


@pytest.mark.parametrize("floor", [0.0, 0.3])
def test_confidence_shows_every_document_and_the_floor(floor: float) -> None:
    figure = plot_confidence(np.array([3, 0, 5, 2]), floor)
    (panel,) = figure.axes
    assert [bar.get_height() for bar in _bars(panel)] == [3, 0, 5, 2]
    assert [bar.get_x() for bar in _bars(panel)] == [0.0, 0.25, 0.5, 0.75]
    assert "10" in panel.get_ylabel()
    assert [np.asarray(line.get_xdata()).tolist() for line in panel.lines] == (
        [[floor] * 2] if floor else []
    )
    assert _render(figure)
    assert _render(plot_confidence(np.zeros(4, dtype=int), floor))
