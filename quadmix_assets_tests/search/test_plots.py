import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import Rectangle

from quadmix_assets.sampling import feature_names, sample_parameters
from quadmix_assets.search.plots import (
    plot_input_importance,
    plot_learning_curve,
    plot_predicted_against_true,
    plot_predicted_histogram,
    plot_theta,
)

CRITERIA, DOMAINS = ["target_fasttext", "importance"], ["law", "food", "unknown"]
RNG = np.random.default_rng(0)
TRUE = RNG.normal(4.0, 0.1, 20)
CURVE = pl.DataFrame(
    {
        "regressor": ["LightGBM", "SVR, RBF", "ridge", "Gaussian process", "ensemble"] * 2,
        "n_train": [50] * 5 + [100] * 5,
        "mae_nats": [0.2, 0.3, 0.25, 0.2, 0.2, 0.1, 0.25, 0.2, 0.15, 0.1],
    }
)


def against_true() -> Figure:
    return plot_predicted_against_true(TRUE, TRUE + 0.01, title="openhermes")


def importance() -> Figure:
    names = feature_names(CRITERIA, DOMAINS)
    return plot_input_importance(np.arange(len(names))[::-1], names, title="openhermes")


def many_importances() -> Figure:
    gain = np.zeros(182)
    gain[150] = 3.0
    return plot_input_importance(gain, [f"input {i}" for i in range(182)])


def histogram() -> Figure:
    losses = RNG.normal(4.0, 0.1, 5_000).astype(np.float32)
    return plot_predicted_histogram(losses, theta_star=3.6, best_measured=3.7, title="bmk")


def curve() -> Figure:
    return plot_learning_curve(CURVE, constant_mae=0.35, title="bmk")


def theta() -> Figure:
    return plot_theta(sample_parameters(1, 2, 3, seed=0)[0], CRITERIA, DOMAINS)


def bars(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


FIGURES = [against_true, importance, many_importances, histogram, curve, theta]


@pytest.mark.parametrize("draw", FIGURES)
def test_becomes_the_same_picture_every_time(draw: Callable[[], Figure]) -> None:
    first, second = io.BytesIO(), io.BytesIO()
    figure = draw()
    figure.savefig(first, format="png", dpi=60)
    figure.savefig(second, format="png", dpi=60)
    assert first.getvalue() == second.getvalue()
    first.seek(0)
    assert imread(first).std() > 0.01


@pytest.mark.parametrize("draw", FIGURES)
def test_every_panel_says_what_it_shows(draw: Callable[[], Figure]) -> None:
    for axes in draw().axes:
        assert axes.get_title()
        named = axes.get_xlabel() or [label.get_text() for label in axes.get_xticklabels()]
        assert named


def test_points_are_the_proxies() -> None:
    axes = against_true().axes[0]
    np.testing.assert_allclose(
        np.asarray(axes.collections[0].get_offsets()), np.column_stack([TRUE, TRUE + 0.01])
    )
    assert axes.get_xlim() == axes.get_ylim()
    assert "MAE 0.0100 nats" in axes.texts[0].get_text()
    assert "Spearman 1.000" in axes.texts[0].get_text()


def test_the_most_important_feature_is_on_top_of_at_most_20() -> None:
    labels = [label.get_text() for label in many_importances().axes[0].get_yticklabels()]
    assert len(labels) == 20
    assert labels[-1] == "input 150"
    assert importance().axes[0].get_yticklabels()[-1].get_text() == "alpha[law,target_fasttext]"
    assert bars(many_importances().axes[0])[-1].get_width() == 1.0


def test_the_histogram_marks_theta_star_and_the_best_proxy() -> None:
    figure = histogram()
    axes = figure.axes[0]
    assert sum(bar.get_height() for bar in bars(axes)) == 5_000
    assert [float(np.ravel(line.get_xdata())[0]) for line in axes.lines] == [3.6, 3.7]
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["theta*, predicted: 3.6000", "best proxy, measured: 3.7000"]


def test_the_learning_curve_has_one_line_a_regressor() -> None:
    lines = {line.get_label(): line.get_ydata() for line in curve().axes[0].lines}
    assert lines.keys() == {*CURVE["regressor"], "constant baseline"}
    assert set(np.asarray(lines["constant baseline"])) == {0.35}
    np.testing.assert_allclose(np.asarray(lines["LightGBM"]), [0.2, 0.1])


def test_theta_is_shown_whole() -> None:
    drawn = sample_parameters(1, 2, 3, seed=0)[0]
    weights, thresholds = theta().axes
    np.testing.assert_allclose(np.asarray(weights.images[0].get_array()), drawn.alpha)
    assert [label.get_text() for label in weights.get_xticklabels()] == CRITERIA
    assert [label.get_text() for label in weights.get_yticklabels()] == DOMAINS
    widths = np.array([bar.get_width() for bar in bars(thresholds)])
    np.testing.assert_allclose(widths, drawn.omega)


def test_constant_losses_can_be_shown() -> None:
    axes = plot_predicted_against_true([4.0, 4.0], [4.0, 4.0]).axes[0]
    assert "Spearman" not in axes.texts[0].get_text()
    assert plot_predicted_histogram([4.0] * 9, theta_star=4.0, best_measured=4.0).axes


def test_leaves_the_global_state_of_matplotlib_alone() -> None:
    code = "import quadmix_assets.search.plots, sys; sys.exit('matplotlib.pyplot' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
