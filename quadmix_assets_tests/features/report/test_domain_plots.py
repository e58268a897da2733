"""Figures of domains: that they draw what they are given, and all of it."""

import io

import numpy as np
import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from quadmix_assets.features.report.domain_plots import (
    plot_domain_counts,
    plot_domain_criterion,
    plot_domain_shares,
)


def _render(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=50)
    return file.getvalue()


def _bars(panel: Axes) -> list[Rectangle]:
    return [patch for patch in panel.patches if isinstance(patch, Rectangle)]


def test_domain_bars_are_shares_of_each_total() -> None:
    counts = pl.DataFrame(
        {"domain": ["law", "unknown"], "n_documents": [3, 1], "n_tokens": [100, 0]}
    )
    (panel,) = plot_domain_counts(counts).axes
    assert [bar.get_width() for bar in _bars(panel)] == [75.0, 25.0, 100.0, 0.0]
    assert [label.get_text() for label in panel.get_yticklabels()] == ["law", "unknown"]
    assert _render(plot_domain_counts(counts.clear()))


@pytest.mark.parametrize("n_criteria", [1, 4])
def test_shares_of_every_criterion_stand_beside_the_pools(n_criteria: int) -> None:
    rng = np.random.default_rng(0)
    domains = [f"d{m}" for m in range(27)]
    criteria = [f"c{n}" for n in range(n_criteria)]
    pool = rng.integers(1, 1_000, 27)
    pool[3] = 0
    top = {share: rng.dirichlet(np.full(27, 0.2), n_criteria) for share in (0.1, 0.25)}
    figure = plot_domain_shares(domains, pool, top, criteria)
    assert _render(figure)
    order = [m for m in np.argsort(-pool, kind="stable") if m != 3]
    assert [axes.get_title() for axes in figure.axes] == criteria
    for n, panel in enumerate(figure.axes):
        widths = [bar.get_width() for bar in _bars(panel)]
        np.testing.assert_allclose(widths, 100 * pool[order] / pool.sum())
        for points, table in zip(panel.collections, top.values(), strict=True):
            drawn = np.asarray(points.get_offsets())
            np.testing.assert_allclose(drawn[:, 0], 100 * table[n, order])
            assert drawn[:, 0].max() < panel.get_xlim()[1], "no point lies outside"
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == [domains[m] for m in order]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["whole pool", "best 10 % of tokens", "best 25 % of tokens"]


def test_shares_of_an_empty_pool() -> None:
    assert _render(plot_domain_shares(["a"], np.zeros(1), {0.1: np.zeros((2, 1))}, ["x", "y"]))


def test_domains_are_drawn_best_first_below_the_pool() -> None:
    means = np.array([[0.7, 0.5], [0.2, 0.3], [np.nan, np.nan], [0.5, 0.5]])
    figure = plot_domain_criterion(means, ["law", "travel", "unknown"], ["x", "y"])
    panel, bar = figure.axes
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels == ["whole pool", "travel", "law"], "unknown has no tokens"
    cells = [text.get_text() for text in panel.texts]
    assert cells == ["0.50", "0.50", "0.20", "0.30", "0.70", "0.50"]
    assert "smaller (blue) is better" in bar.get_ylabel()
    assert _render(figure)


def test_heat_map_of_an_empty_pool() -> None:
    assert _render(plot_domain_criterion(np.full((3, 2), np.nan), ["a", "b"], ["x", "y"]))
