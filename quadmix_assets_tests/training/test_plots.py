import io

import numpy as np
from matplotlib.patches import Rectangle

from quadmix_assets.training.loop import ProxyTraining
from quadmix_assets.training.plots import plot_losses

TRAINED = ProxyTraining("trained", None, ((64, 4.0), (128, 3.0)), 128, 0.5)
FAILED = ProxyTraining("failed", "its loss was not finite", ((64, 4.5),), 64, 0.2)
EMPTY = ProxyTraining("failed", "its sample holds no tokens", (), 0, 0.0)


def test_every_curve_and_every_finite_loss_is_drawn() -> None:
    losses = {"one": np.array([3.0, 3.5, np.nan]), "two": np.array([2.0, 2.5, np.nan])}
    figure = plot_losses([TRAINED, FAILED, EMPTY], losses)
    curves, *spreads = figure.axes
    drawn = [np.column_stack([*line.get_data()]).tolist() for line in curves.get_lines()]
    assert drawn == [[[64, 4.0], [128, 3.0]], [[64, 4.5]]]
    assert curves.get_title() == "Training: 1 trained, 2 failed (red)"
    for axes in spreads:
        assert sum(p.get_height() for p in axes.patches if isinstance(p, Rectangle)) == 2
    assert [axes.get_title() for axes in spreads] == [
        "one: mean 3.250,\nstandard deviation 0.250",
        "two: mean 2.250,\nstandard deviation 0.250",
    ]


def test_nothing_but_failures_can_be_drawn() -> None:
    figure = plot_losses([EMPTY], {"one": np.array([np.nan])})
    file = io.BytesIO()
    figure.savefig(file, format="png")
    assert file.getvalue().startswith(b"\x89PNG")
