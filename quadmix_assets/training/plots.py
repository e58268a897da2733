"""Figures of the training of a batch of proxies: loss curves and final losses."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from quadmix_assets.figures import BLUE, RED, grid_of_panels, styled
from quadmix_assets.training.records import ProxyTraining

_MAX_BINS = 30
_PANELS_PER_ROW = 3


@styled
def plot_losses(
    proxies: Sequence[ProxyTraining], target_losses: Mapping[str, np.ndarray]
) -> Figure:
    """Training loss of every proxy over tokens, and histograms of the losses on each target set.

    Args:
        proxies: the training records of the batch's K proxies.
        target_losses: per target set the losses in nats, (K,); NaN (failed) is left out.
    """
    figure, (curves, *spreads) = grid_of_panels(1 + len(target_losses), _PANELS_PER_ROW, 4.4, 3.4)
    _draw_curves(curves, proxies)
    for axes, (name, losses) in zip(spreads, target_losses.items(), strict=True):
        finite = np.asarray(losses, float)
        finite = finite[np.isfinite(finite)]
        axes.set(title=name, xlabel="loss (nats per token)", ylabel="proxies")
        if finite.size:
            n_bins = int(np.clip(2 * np.sqrt(finite.size), 5, _MAX_BINS))
            axes.hist(finite, bins=n_bins, color=BLUE)
            axes.set_title(
                f"{name}: mean {finite.mean():.3f},\nstandard deviation {finite.std():.3f}"
            )
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
