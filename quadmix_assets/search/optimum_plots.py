"""Figures of theta*: the search, its place among the swarm's thetas, its mix, and its check."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from quadmix_assets.figures import (
    BLUE,
    DIVERGING,
    GREEN,
    LIGHT_GREY,
    ORANGE,
    ROW_HEIGHT,
    SERIES,
    held,
    legend_below,
    name_cells,
    styled,
    with_left_out,
    write_cells,
)
from quadmix_assets.sampling import Parameters, Theta
from quadmix_assets.sampling.validation import FloatArray


@styled
def plot_trace(trace: pl.DataFrame, *, best_measured: float, unit: str, title: str) -> Figure:
    """The best prediction along the search with its standard deviation, and the best proxy.

    Args:
        trace: columns n_evaluated, predicted, standard_deviation.
        best_measured: the lowest measured objective of the swarm.
        unit: of the objective.
        title: name of the objective.
    """
    figure = Figure(figsize=(6.8, 3.9))
    axes = figure.subplots()
    n, best, standard_deviation = (
        trace[name].to_numpy() for name in ("n_evaluated", "predicted", "standard_deviation")
    )
    axes.fill_between(
        n,
        best - standard_deviation,
        best + standard_deviation,
        step="post",
        color=BLUE,
        alpha=0.2,
        label="one standard deviation",
    )
    axes.step(n, best, where="post", color=BLUE, label="best of the thetas searched")
    axes.axhline(best_measured, color=GREEN, linestyle="--", label="best proxy, measured")
    axes.set_xscale("log")
    axes.set_xlabel("thetas predicted")
    axes.set_ylabel(f"predicted objective ({unit})")
    axes.set_title(f"Best prediction of the search: {title}")
    legend_below(figure)
    return figure


def quantiles_in_swarm(theta: Theta, swarm: Parameters) -> tuple[FloatArray, list[str]]:
    """Share of the swarm's thetas that have a smaller value than theta*, per domain and parameter.

    Returns:
        (M, N + 4) shares, N + 5 with scales, and the names of the columns after those of the
        criteria. 0 or 1: the value is outside the range of all trained thetas.
    """
    names = [name for name in swarm.beta if name != "scale" or swarm.is_scaled]
    columns = [*np.moveaxis(swarm.alpha, 2, 0), *(swarm.beta[name] for name in names)]
    mine = [*theta.alpha.T, *(getattr(theta, name) for name in names)]
    shares = [
        ((values < own).mean(axis=0) + (values <= own).mean(axis=0)) / 2
        for values, own in zip(columns, mine, strict=True)
    ]
    return np.stack(shares, axis=1), names


@styled
def plot_theta_in_swarm(
    theta: Theta,
    swarm: Parameters,
    criteria: Sequence[str],
    domains: Sequence[str],
    title: str,
    pool: FloatArray | None = None,
) -> Figure:
    """The quantile of each entry of theta* among the thetas that proxies were trained for.

    Args:
        theta: with M domains and N criteria.
        swarm: the thetas of the proxies.
        criteria: the N names.
        domains: the M names.
        title: name of the objective.
        pool: (M,) tokens of the pool; domains without any are left out. None shows all.
    """
    shown = np.arange(len(domains)) if pool is None else held(pool)
    all_shares, names = quantiles_in_swarm(theta, swarm)
    shares = all_shares[shown]
    columns = [*(f"alpha {name}" for name in criteria), *names]
    figure = Figure(figsize=(2.8 + 0.7 * len(columns), ROW_HEIGHT * len(shown) + 2.2))
    axes = figure.subplots()
    image = axes.imshow(shares, cmap=DIVERGING, vmin=0.0, vmax=1.0, aspect="auto")
    write_cells(axes, shares, np.abs(shares - 0.5) > 0.35, size=7)
    name_cells(axes, [domains[int(m)] for m in shown], columns)
    axes.set_xticks(range(len(columns)), columns, rotation=90)
    if len(shown) < len(domains):
        axes.set_xlabel(with_left_out("", len(domains) - len(shown)).strip())
    axes.set_title(f"theta* among the proxies' thetas: {title}")
    figure.colorbar(image, ax=axes, label="share of proxies with a smaller value", shrink=0.6)
    return figure


@styled
def plot_shares_of_optima(
    shares: Mapping[str, FloatArray], pool: FloatArray, domains: Sequence[str]
) -> Figure:
    """Expected token share of every domain (M,) in the mix of each objective, and in the pool.

    One panel per objective; domains that hold nothing are left out. The left half of the paper's
    Figure 4.
    """
    mean = np.mean([*shares.values()], axis=0)
    there = held(pool, mean)
    order = there[np.argsort(mean[there])]
    size = (2.6 + 3.0 * len(shares), ROW_HEIGHT * len(order) + 2.2)
    figure = Figure(figsize=size)
    panels = figure.subplots(1, len(shares), sharex=True, sharey=True, squeeze=False).ravel()
    rows = np.arange(len(order))
    for k, (axes, (name, values)) in enumerate(zip(panels, shares.items(), strict=True)):
        colour = SERIES[k % len(SERIES)]
        axes.barh(rows - 0.2, 100 * pool[order], 0.38, color=LIGHT_GREY, label="pool")
        axes.barh(rows + 0.2, 100 * values[order], 0.38, color=colour, label=name)
        axes.set_title(f"Mix of {name}")
        axes.margins(y=0.01)
    panels[0].set_yticks(rows, [domains[m] for m in order])
    left_out = len(domains) - len(order)
    figure.supxlabel(with_left_out("share of tokens (%)", left_out), fontsize=10)
    handles = [axes.get_legend_handles_labels() for axes in panels]
    figure.legend(
        [handles[0][0][0], *(bars[1] for bars, _ in handles)],
        ["pool", *(labels[1] for _, labels in handles)],
        loc="outside upper center",
        ncols=min(len(panels) + 1, 3),
    )
    return figure


@styled
def plot_weights_of_optima(
    thetas: Mapping[str, Theta],
    shares: Mapping[str, FloatArray],
    criteria: Sequence[str],
) -> Figure:
    """Weight of every criterion for each objective, domains weighted by their share of the mix.

    The right half of the paper's Figure 4.
    """
    figure = Figure(figsize=(1.6 * len(criteria) + 2.4, 3.6))
    axes = figure.subplots()
    width = 0.8 / len(thetas)
    places = np.arange(len(criteria))
    for k, (name, theta) in enumerate(thetas.items()):
        weights = shares[name] @ theta.alpha
        offset = (k - (len(thetas) - 1) / 2) * width
        bars = axes.bar(places + offset, weights, width, color=SERIES[k % len(SERIES)], label=name)
        axes.bar_label(bars, fmt="%.2f", fontsize=8)
    axes.axhline(1 / len(criteria), color=LIGHT_GREY, linestyle="--", label="equal weights")
    axes.set_xticks(places, criteria)
    axes.set_ylabel("weight in the merged score")
    axes.set_title("Criteria of each objective")
    legend_below(figure)
    return figure


@styled
def plot_optimum_check(table: pl.DataFrame, *, unit: str, title: str) -> Figure:
    """Measured objectives with their intervals, next to predictions, and what theta* gains.

    Args:
        table: one row per sample, with the columns sample, predicted, mean, low, high, gain,
            gain_low, gain_high.
        unit: of the objective.
        title: name of the objective.
    """
    figure = Figure(figsize=(9.6, 0.5 * table.height + 1.6))
    axes, gains = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    rows = np.arange(table.height)[::-1]
    columns = ("predicted", "mean", "low", "high", "gain", "gain_low", "gain_high")
    predicted, mean, low, high, gain, gain_low, gain_high = (
        table[name].cast(pl.Float64).to_numpy() for name in columns
    )
    axes.scatter(
        mean, rows, color=BLUE, zorder=3, label="measured on the proof part, 90 % interval"
    )
    axes.hlines(rows, low, high, color=BLUE)
    axes.scatter(
        predicted, rows, marker="D", color=ORANGE, zorder=2, label="predicted for the search part"
    )
    axes.set_yticks(rows, table["sample"].to_list())
    axes.set_xlabel(f"objective ({unit}), lower is better")
    axes.set_title(f"theta* and baselines: {title}")
    gains.scatter(gain, rows, color=GREEN, label="gain of theta*, seed by seed, 90 % interval")
    gains.hlines(rows, gain_low, gain_high, color=GREEN)
    gains.axvline(0.0, color=LIGHT_GREY, linewidth=0.8)
    gains.set_xlabel(f"gain of theta* over it ({unit})")
    legend_below(figure, n_columns=2)
    return figure
