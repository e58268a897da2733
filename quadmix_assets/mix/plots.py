"""Plots of a mix: domain shares before and after, and the sampling curves of theta*."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from quadmix_assets.figures import (
    BLUE,
    LIGHT_GREY,
    ROW_HEIGHT,
    grid_of_panels,
    held,
    legend_below,
    styled,
    with_left_out,
)
from quadmix_assets.sampling import Theta, sampling_value

_PANELS_PER_ROW = 5


@styled
def plot_domain_shares(
    domain_names: Sequence[str], share_in: np.ndarray, share_out: np.ndarray, *, mix: str
) -> Figure:
    """Token share of each domain (M,) in the pool and in a mix, largest in the mix first.

    Domains that hold nothing in either are left out.

    Args:
        domain_names: the M names.
        share_in: (M,) shares in the pool.
        share_out: (M,) shares in the mix.
        mix: its name.
    """
    shown = held(share_in, share_out)
    order = shown[np.argsort(share_out[shown])]
    figure = Figure(figsize=(7.0, ROW_HEIGHT * len(order) + 1.6))
    axes = figure.subplots()
    y = np.arange(len(order))
    axes.barh(y - 0.2, 100 * share_in[order], height=0.38, color=LIGHT_GREY, label="pool")
    axes.barh(y + 0.2, 100 * share_out[order], height=0.38, color=BLUE, label=f"mix {mix}")
    axes.set_yticks(y, [domain_names[index] for index in order])
    axes.margins(y=0.01)
    axes.set_xlabel(with_left_out("share of tokens (%)", len(domain_names) - len(order)))
    axes.set_title("Domains of the pool and of the mix")
    legend_below(figure)
    return figure


@styled
def plot_sampling_curves(
    theta: Theta, domain_names: Sequence[str], pool: np.ndarray | None = None
) -> Figure:
    """S(rank) of each domain under theta (Eq. 3): how often a document of that rank is taken.

    Args:
        theta: with M domains.
        domain_names: the M names.
        pool: (M,) tokens of the pool; domains without any are left out. None shows all.
    """
    shown = np.arange(len(domain_names)) if pool is None else held(pool)
    figure, panels = grid_of_panels(len(shown), _PANELS_PER_ROW, 2.2, 1.5)
    limit = min(1.0, 1.3 * float(theta.omega[shown].max()))
    ranks = np.linspace(0.0, limit, 400)
    curves = [sampling_value(ranks, np.full(len(ranks), domain), *theta[1:]) for domain in shown]
    top = 1.08 * max(float(curve.max()) for curve in curves) or 1.0
    for panel, domain, curve in zip(panels, shown, curves, strict=True):
        panel.plot(ranks, curve, color=BLUE)
        panel.set_title(domain_names[domain], fontsize=9)
        panel.set(xlim=(0.0, limit or 1.0), ylim=(0.0, top))
        panel.xaxis.set_major_locator(MaxNLocator(3))
        panel.yaxis.set_major_locator(MaxNLocator(3))
    figure.suptitle("Sampling curves of theta*", fontsize=11)
    figure.supxlabel(
        with_left_out(
            "rank within the domain (share of its tokens, best first)",
            len(domain_names) - len(shown),
        ),
        fontsize=10,
    )
    figure.supylabel("expected copies S", fontsize=10)
    return figure
