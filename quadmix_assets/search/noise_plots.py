"""Figure of the noise of losses beside the differences between thetas."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from quadmix_assets.figures import BLUE, ORANGE, ROW_HEIGHT, legend_below, styled
from quadmix_assets.search.noise import Noise


@styled
def plot_noise(noise: Mapping[str, Noise], *, unit: str = "nats per token") -> Figure:
    """Per target set, the standard deviation between thetas beside that of one training.

    Args:
        noise: by target set.
        unit: of the losses.
    """
    figure = Figure(figsize=(7.2, 2 * ROW_HEIGHT * len(noise) + 1.9))
    axes = figure.subplots()
    rows = np.arange(len(noise))[::-1]
    found = list(noise.values())
    axes.barh(rows + 0.18, [n.spread for n in found], 0.34, color=BLUE, label="between thetas")
    values = np.array([[n.noise.value, n.noise.low, n.noise.high] for n in found])
    axes.barh(
        rows - 0.18,
        values[:, 0],
        0.34,
        xerr=[values[:, 0] - values[:, 1], values[:, 2] - values[:, 0]],
        color=ORANGE,
        capsize=3,
        label="noise of one training, 90 % interval",
    )
    axes.set_yticks(
        rows, [f"{name}\nreliability {n.reliability.value:.2f}" for name, n in noise.items()]
    )
    axes.set_xlabel(f"standard deviation ({unit})")
    axes.set_title("Differences between thetas, and noise")
    legend_below(figure, n_columns=2)
    return figure
