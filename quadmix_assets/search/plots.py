"""Figures of the regressors and of theta*. Losses are in nats per token."""

from collections.abc import Sequence
from itertools import cycle

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from quadmix_assets.figures import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    ROW_HEIGHT,
    SEQUENTIAL,
    SERIES,
    held,
    legend_below,
    name_cells,
    new_axes,
    styled,
    with_left_out,
    write_cells,
)
from quadmix_assets.sampling.parameters import Theta

_TOP_INPUTS = 20


@styled
def plot_predicted_against_true(
    true: ArrayLike, predicted: ArrayLike, *, title: str = ""
) -> Figure:
    """Predicted against true losses (n,) of the held-out proxies, with the diagonal."""
    from scipy.stats import spearmanr

    x, y = np.asarray(true, dtype=float), np.asarray(predicted, dtype=float)
    figure, axes = new_axes(_heading("Held-out proxies", title), 4.8, 4.8)
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    margin = 0.05 * (high - low) or 0.01
    limits = (low - margin, high + margin)
    axes.plot(limits, limits, color=GREY, linewidth=1, linestyle="--", label="no error")
    axes.scatter(x, y, s=22, color=BLUE, alpha=0.75, linewidths=0)
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.set_xlabel("true loss (nats)")
    axes.set_ylabel("predicted loss (nats)")
    notes = [f"{len(x)} proxies", f"MAE {np.mean(np.abs(x - y)):.4f} nats"]
    if np.ptp(x) > 0 and np.ptp(y) > 0:
        notes.append(f"Spearman {spearmanr(x, y).statistic:.3f}")
    axes.text(0.04, 0.96, "\n".join(notes), transform=axes.transAxes, va="top", fontsize=9)
    axes.legend(loc="lower right")
    return figure


@styled
def plot_input_importance(
    importance: ArrayLike, names: Sequence[str], *, title: str = ""
) -> Figure:
    """The 20 regressor inputs of the largest importance, out of importance (F,)."""
    gain = np.asarray(importance, dtype=float)
    shown = np.argsort(-gain, kind="stable")[:_TOP_INPUTS][::-1]
    figure, axes = new_axes(
        _heading("Importance of regressor inputs", title), 7.8, ROW_HEIGHT * len(shown) + 1.3
    )
    axes.barh(np.arange(len(shown)), gain[shown] / (gain.sum() or 1.0), color=BLUE, height=0.7)
    axes.set_yticks(np.arange(len(shown)), [names[i] for i in shown], fontsize=9)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.xaxis.set_major_formatter(_percent)
    axes.set_xlabel(f"share of the squared error\nthat all {len(gain)} inputs remove")
    return figure


@styled
def plot_predicted_histogram(
    predicted: ArrayLike,
    *,
    theta_star: float,
    best_measured: float,
    unit: str = "nats",
    title: str = "",
) -> Figure:
    """Predicted objectives (n,) of the random thetas of a search, with theta* and the best proxy.

    Args:
        predicted: (n,) of the random thetas.
        theta_star: the predicted objective of theta*.
        best_measured: the lowest measured objective of the swarm.
        unit: of the objective.
        title: name of the objective.
    """
    values = np.asarray(predicted, dtype=float)
    figure, axes = new_axes(_heading("Predicted objective of random thetas", title), 6.8, 3.9)
    axes.hist(values, bins=80, color=BLUE, alpha=0.55)
    for value, colour, style, label in (
        (theta_star, ORANGE, "-", "theta*, predicted"),
        (best_measured, GREEN, "--", "best proxy, measured"),
    ):
        axes.axvline(value, color=colour, linestyle=style, label=f"{label}: {value:.4f}")
    axes.set_xlabel(f"predicted objective ({unit})")
    axes.set_ylabel(f"number of thetas, of {len(values):,}")
    legend_below(figure)
    return figure


@styled
def plot_learning_curve(curve: pl.DataFrame, *, constant_mae: float, title: str = "") -> Figure:
    """Held-out MAE against training size, as in the paper's Figure 3.

    Args:
        curve: columns regressor, n_train, mae_nats, as `learning_curve` gives them.
        constant_mae: MAE of the constant baseline, in nats.
        title: name of the target set.
    """
    figure, axes = new_axes(_heading("Error against training size", title), 6.0, 3.9)
    groups = curve.group_by("regressor", maintain_order=True)
    styles = cycle(zip(SERIES, "os^DvPX*", strict=True))
    for ((name,), part), (colour, marker) in zip(groups, styles, strict=False):
        sizes, errors = part["n_train"].to_numpy(), part["mae_nats"].to_numpy()
        axes.plot(sizes, errors, marker=marker, markersize=5, color=colour, label=name)
    axes.axhline(constant_mae, color=GREY, linewidth=1, linestyle="--", label="constant baseline")
    ticks = curve["n_train"].unique().sort().to_list()
    axes.set_xscale("log")
    axes.set_xticks(ticks, [str(size) for size in ticks])
    axes.minorticks_off()
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("training proxies")
    axes.set_ylabel("MAE on held-out proxies (nats)")
    legend_below(figure)
    return figure


@styled
def plot_theta(
    theta: Theta,
    criteria: Sequence[str],
    domains: Sequence[str],
    pool: NDArray[np.float64] | None = None,
) -> Figure:
    """theta*: the weights alpha (M, N) as a heat map, omega (M,) as bars next to it.

    Args:
        theta: with M domains and N criteria.
        criteria: the N names.
        domains: the M names.
        pool: (M,) tokens of the pool; domains without any are left out. None shows all.
    """
    shown = np.arange(len(domains)) if pool is None else held(pool)
    alpha, names = theta.alpha[shown], [domains[int(m)] for m in shown]
    n_domains, n_criteria = alpha.shape
    size = (3.6 + 0.9 * n_criteria + 2.6, ROW_HEIGHT * n_domains + 1.9)
    figure = Figure(figsize=size)
    left, right = figure.subplots(
        1, 2, sharey=True, gridspec_kw={"width_ratios": [0.9 * n_criteria, 2.6]}
    )
    figure.suptitle("theta*")
    left.imshow(alpha, cmap=SEQUENTIAL, vmin=0.0, vmax=1.0, aspect="auto")
    write_cells(left, alpha, alpha > 0.65)
    name_cells(left, names, criteria)
    left.set_title("weight of each criterion, alpha", fontsize=10)
    _bars(right, theta.omega[shown], n_left_out=len(domains) - n_domains)
    return figure


def _bars(axes: Axes, omega: NDArray[np.float64], *, n_left_out: int) -> None:
    axes.barh(np.arange(len(omega)), omega, color=BLUE, height=0.7)
    axes.xaxis.set_major_formatter(_percent)
    axes.set_xlabel(with_left_out("share of the domain's tokens", n_left_out))
    axes.set_title("largest rank taken, omega", fontsize=10)
    axes.tick_params(axis="y", length=0)


def _heading(what: str, title: str) -> str:
    return f"{what}: {title}" if title else what


def _percent(share: float, _position: float) -> str:
    return f"{100 * share:.3g}%"
