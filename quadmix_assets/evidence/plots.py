"""Figures of what the models of a mix reach."""

import polars as pl
from matplotlib.figure import Figure

from quadmix_assets.evidence.results import LANGUAGE_MODEL, TASK, TRIGRAM
from quadmix_assets.evidence.words import METRICS, MODELS
from quadmix_assets.figures import GREY, ROW_HEIGHT, SERIES, legend_below, new_axes, styled

_HEIGHT_OF_REST = 1.9


@styled
def plot_losses_on_sets(results: pl.DataFrame, *, mix: str) -> Figure:
    """The loss of every model (a dot, a colour per budget) and of the trigram model on every set.

    Args:
        results: columns of RESULTS_SCHEMA, of one mix.
        mix: its name.
    """
    losses = results.filter(pl.col("kind") != TASK, pl.col("metric") == "loss_nats")
    sets = losses["set"].unique(maintain_order=True).to_list()
    figure, axes = new_axes(
        f"Losses of models of {mix}", 7.2, ROW_HEIGHT * len(sets) + _HEIGHT_OF_REST
    )
    rows = {name: len(sets) - 1 - row for row, name in enumerate(sets)}
    models = losses.filter(pl.col("model") == LANGUAGE_MODEL)
    for number, budget in enumerate(sorted(models["budget"].unique())):
        found = models.filter(pl.col("budget") == budget)
        axes.scatter(
            found["value"],
            [rows[name] for name in found["set"]],
            s=26,
            color=SERIES[number % len(SERIES)],
            alpha=0.8,
            label=f"{budget:,} tokens",
            zorder=3,
        )
    trigrams = losses.filter(pl.col("model") == TRIGRAM)
    if trigrams.height:
        axes.scatter(
            trigrams["value"],
            [rows[name] for name in trigrams["set"]],
            s=40,
            marker="|",
            color=GREY,
            label=MODELS[TRIGRAM],
            zorder=2,
        )
    kinds = dict(zip(losses["set"], losses["kind"], strict=True))
    labels = [f"{name} (held out)" if kinds[name] != "target" else name for name in sets]
    axes.set_yticks([rows[name] for name in sets], labels)
    axes.set_ylim(-0.6, len(sets) - 0.4)
    axes.set_xlabel(f"{METRICS['loss_nats']}; smaller is better")
    axes.grid(axis="y", linewidth=0.4)
    legend_below(figure, 4)
    return figure
