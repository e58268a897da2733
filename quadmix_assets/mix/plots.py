"""Plots of a mix: domain shares before and after, and the sampling curves of theta*."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from quadmix_assets.figures import BLUE, LIGHT_GREY, ROW_HEIGHT, SERIES, legend_below, styled
from quadmix_assets.sampling import Theta, sampling_value


@styled
def plot_domain_shares(
    domain_names: Sequence[str], share_in: np.ndarray, share_out: np.ndarray
) -> Figure:
    """Token share of each domain (M,) in the pool and in the mix, largest in the mix first."""
    order = np.argsort(share_out)
    figure = Figure(figsize=(7.0, ROW_HEIGHT * len(domain_names) + 1.4))
    axes = figure.subplots()
    y = np.arange(len(domain_names))
    axes.barh(y - 0.2, 100 * share_in[order], height=0.38, color=LIGHT_GREY, label="pool")
    axes.barh(y + 0.2, 100 * share_out[order], height=0.38, color=BLUE, label="final mix")
    axes.set_yticks(y, [domain_names[index] for index in order])
    axes.margins(y=0.01)
    axes.set_xlabel("share of tokens (%)")
    axes.set_title("Domains of the pool and of the final mix")
    legend_below(figure)
    return figure


@styled
def plot_sampling_curves(theta: Theta, domain_names: Sequence[str]) -> Figure:
    """S(rank) of each domain under theta (Eq. 3): how often a document of that rank is taken."""
    figure = Figure(figsize=(7.0, 4.0 + 0.18 * -(-len(domain_names) // 3)))
    axes = figure.subplots()
    limit = min(1.0, 1.3 * float(theta.omega.max()))
    ranks = np.linspace(0.0, limit, 400)
    for index, name in enumerate(domain_names):
        domains = np.full(len(ranks), index)
        values = sampling_value(ranks, domains, *theta[1:])
        style = ("-", "--", ":", "-.")[(index // len(SERIES)) % 4]
        axes.plot(ranks, values, style, label=name)
    axes.set_xlabel("rank within the domain (share of its tokens, best first)")
    axes.set_ylabel("expected copies S")
    axes.set_title("Sampling curves of theta*")
    legend_below(figure)
    return figure
