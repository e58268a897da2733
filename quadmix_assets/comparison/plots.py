"""Plots of comparisons."""

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from quadmix_assets.figures import BLUE, DARK_BLUE, grid_of_panels, styled

_PANELS_PER_ROW = 3


@styled
def plot_losses_of_mixes(losses: pl.DataFrame) -> Figure:
    """Loss of every seed (a dot) and their mean (a bar) per mix; one panel per target set.

    Args:
        losses: columns mix, seed, target, loss_nats.
    """
    targets = losses["target"].unique(maintain_order=True).to_list()
    mixes = losses["mix"].unique(maintain_order=True).to_list()
    figure, panels = grid_of_panels(len(targets), _PANELS_PER_ROW, 3.4, 3.2)
    for axes, target in zip(panels, targets, strict=True):
        for x, mix in enumerate(mixes):
            rows = losses.filter((pl.col("target") == target) & (pl.col("mix") == mix))
            values = rows["loss_nats"].drop_nulls().to_numpy()
            axes.scatter(np.full(len(values), x), values, s=28, color=BLUE, zorder=3)
            if len(values):
                axes.hlines(values.mean(), x - 0.25, x + 0.25, color=DARK_BLUE, linewidth=2)
        axes.set_xticks(range(len(mixes)), mixes)
        axes.set_xlim(-0.6, len(mixes) - 0.4)
        axes.set_title(target)
        axes.set_ylabel("loss (nats per token)")
    return figure
