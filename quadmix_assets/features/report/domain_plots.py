"""Figures of domains: their sizes, and which of them each criterion prefers."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from quadmix_assets.figures import (
    BLUE,
    DIVERGING,
    FAINT,
    LIGHT_BLUE,
    LIGHT_GREY,
    ORANGE,
    ROW_HEIGHT,
    legend_below,
    name_cells,
    styled,
    with_left_out,
    write_cells,
)

_MARKERS = ((BLUE, "o", 30), (ORANGE, "D", 16))


@styled
def plot_domain_counts(counts: pl.DataFrame) -> Figure:
    """Bars of each domain's share of documents and of tokens.

    Args:
        counts: columns domain, n_documents, n_tokens; one row per domain, drawn top to bottom.
            Domains without documents are left out, if others have some.
    """
    n_domains = counts.height
    if counts["n_documents"].sum():
        counts = counts.filter(pl.col("n_documents") > 0)
    figure = Figure(figsize=(7.0, 1.4 + ROW_HEIGHT * max(counts.height, 1)))
    panel = figure.subplots()
    y = np.arange(counts.height)
    for offset, column, label, colour in (
        (-0.2, "n_documents", "documents", LIGHT_BLUE),
        (0.2, "n_tokens", "tokens", BLUE),
    ):
        values = counts[column].to_numpy().astype(np.float64)
        total = values.sum()
        shares = values / total if total else values
        title = f"{label} ({int(total):,} in all)"
        panel.barh(y + offset, 100 * shares, height=0.4, color=colour, label=title)
    panel.set_yticks(y, counts["domain"].to_list())
    panel.margins(y=0.01)
    panel.invert_yaxis()
    panel.set_xlabel(with_left_out("share of the pool, %", n_domains - counts.height))
    legend_below(figure)
    return figure


@styled
def plot_domain_shares(
    domain_names: Sequence[str],
    pool: np.ndarray,
    top: Mapping[float, np.ndarray],
    criteria: Sequence[str],
) -> Figure:
    """Domains' shares of tokens in the pool and in its best part, one panel per criterion.

    As Figure 1 of the paper. Domains come largest first; those without tokens are left out.

    Args:
        domain_names: the M names.
        pool: (M,) tokens, or shares of tokens, of the whole pool.
        top: one or two shares of the pool's tokens -> (N, M) shares of the domains in the best
            part of that size, by criterion.
        criteria: the N names, in the order of the rows of `top`.
    """
    order = [m for m in np.argsort(-pool, kind="stable") if pool[m] > 0]
    shares = 100 * pool[order] / (pool.sum() or 1)
    size = (max(1.8 + 2.5 * len(criteria), 5.4), 1.9 + ROW_HEIGHT * len(order))
    figure = Figure(figsize=size)
    panels = figure.subplots(1, len(criteria), sharex=True, sharey=True, squeeze=False).ravel()
    y = np.arange(len(order))
    for n, (panel, name) in enumerate(zip(panels, criteria, strict=True)):
        panel.barh(y, shares, height=0.72, color=LIGHT_GREY, label="whole pool")
        for (share, table), (colour, marker, area) in zip(top.items(), _MARKERS, strict=False):
            label = f"best {100 * share:g} % of tokens"
            values = 100 * table[n, order]
            panel.scatter(values, y, s=area, color=colour, marker=marker, label=label, zorder=3)
        panel.set_title(name)
        panel.xaxis.set_major_locator(MaxNLocator(4))
        panel.grid(axis="x", color=FAINT)
        panel.set_axisbelow(True)
        panel.tick_params(axis="y", length=0)
    # After all panels are drawn: they share their axes, and an early limit would hide points.
    largest = max(100 * np.max(table, initial=0.0) for table in (shares / 100, *top.values()))
    panels[0].set_xlim(0.0, 1.05 * largest or 1.0)
    panels[0].set_yticks(y, [domain_names[m] for m in order])
    panels[0].set_ylim(len(order) - 0.4, -0.6)
    left_out = len(domain_names) - len(order)
    figure.supxlabel(with_left_out("share of tokens, %", left_out), fontsize=10)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        [handles[-1], *handles[:-1]],
        [labels[-1], *labels[:-1]],
        loc="outside upper center",
        ncols=3,
    )
    return figure


@styled
def plot_domain_criterion(
    means: np.ndarray, domain_names: Sequence[str], criteria: Sequence[str]
) -> Figure:
    """A heat map of domain by criterion: token-weighted mean sigma, smaller is better.

    Args:
        means: (M + 1, N), the last row for the whole pool, which is drawn first; domains with NaN
            (without tokens) are left out, the others are sorted by their mean, best first.
        domain_names: the M names.
        criteria: the N names.
    """
    seen = np.flatnonzero(~np.isnan(means[:-1]).any(axis=1))
    order = seen[np.argsort(means[seen].mean(axis=1), kind="stable")]
    shown = np.vstack([means[-1:], means[order]])
    labels = ["whole pool", *(domain_names[m] for m in order)]
    size = (3.8 + 1.0 * len(criteria), max(1.8 + ROW_HEIGHT * len(labels), 3.8))
    figure = Figure(figsize=size)
    panel = figure.subplots()
    finite = shown[np.isfinite(shown)]
    centre = float(np.nanmean(means[-1])) if finite.size else 0.5
    reach = float(np.max(np.abs(finite - centre), initial=0.0)) or 1.0
    image = panel.imshow(
        shown, vmin=centre - reach, vmax=centre + reach, cmap=DIVERGING, aspect="auto"
    )
    panel.axhline(0.5, color="white", linewidth=3)
    write_cells(panel, shown, np.abs(shown - centre) > 0.65 * reach)
    name_cells(panel, labels, criteria)
    if len(order) < len(domain_names):
        panel.set_xlabel(with_left_out("", len(domain_names) - len(order)).strip())
    label = "mean normalized score sigma;\nsmaller (blue) is better"
    figure.colorbar(image, ax=panel, label=label, shrink=0.8)
    return figure
