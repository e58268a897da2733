"""Figures of the training of a batch of proxies: loss curves and final losses."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from quadmix_assets.figures import BLUE, RED, legend_below, styled
from quadmix_assets.training.trainer import ProxyTraining

_MAX_BINS = 30


@styled
def plot_losses(
    proxies: Sequence[ProxyTraining], target_losses: Mapping[str, np.ndarray]
) -> Figure:
    """Training loss of every proxy over tokens, and histograms of the losses on each target set.

    Args:
        proxies: the training records of the batch's K proxies.
        target_losses: per target set the losses in nats, (K,); NaN (failed) is left out.
    """
    figure = Figure(figsize=(10, 4))
    curves, spread = figure.subplots(1, 2)
    _draw_curves(curves, proxies)
    for name, losses in target_losses.items():
        finite = np.asarray(losses, float)
        finite = finite[np.isfinite(finite)]
        if finite.size:
            n_bins = int(np.clip(2 * np.sqrt(finite.size), 5, _MAX_BINS))
            label = f"{name} (mean {finite.mean():.3f}, standard deviation {finite.std():.3f})"
            spread.hist(finite, bins=n_bins, alpha=0.6, label=label)
    spread.set(title="Target losses", xlabel="loss (nats per token)", ylabel="proxies")
    if spread.has_data():
        legend_below(figure, n_columns=2)
    return figure


def _draw_curves(axes: Axes, proxies: Sequence[ProxyTraining]) -> None:
    n_failed = 0
    for proxy in proxies:
        failed = proxy.status == "failed"
        n_failed += failed
        if proxy.train_loss:
            n_tokens, losses = zip(*proxy.train_loss, strict=True)
            color, zorder = (RED, 3) if failed else (BLUE, 2)
            axes.plot(n_tokens, losses, color=color, zorder=zorder, linewidth=0.8, alpha=0.6)
    n_trained = len(proxies) - n_failed
    axes.set(
        title=f"Training: {n_trained} trained, {n_failed} failed (red)",
        xlabel="tokens trained on",
        ylabel="training loss (nats per token)",
    )
