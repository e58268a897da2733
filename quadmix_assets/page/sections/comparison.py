"""What models of the mixes reach: the tables and figures of the comparison, where it was made."""

import polars as pl

from quadmix_assets.comparison.comparison_tables import read_comparison_tables
from quadmix_assets.comparison.comparison_words import (
    ablations_shown,
    accuracies_shown,
    budgets_shown,
    losses_shown,
    measures_in,
    sizes_shown,
)
from quadmix_assets.comparison.published import published_table
from quadmix_assets.evidence.results import results_path
from quadmix_assets.evidence.words import measure_in_words
from quadmix_assets.outputs import (
    BENCHMARK_RESULTS,
    COMPARISON_TABLE,
    LANGUAGE_MODEL,
    REPORT,
    mix_output,
)
from quadmix_assets.page.markup import heading, paragraphs, table
from quadmix_assets.page.plots import LOSSES_BY_BUDGET
from quadmix_assets.page.stored_figures import figure_names, figures_html
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store

_CAPTIONS = {
    "gains": "What each mix gains over random documents, with 90 % intervals; right is better",
    "ranks_by_budget": "The order of the mixes by training budget: crossing lines say that the "
    "budget decides",
    "win_rates": "How often the mix of the row is better than that of the column",
    LOSSES_BY_BUDGET: "Mean loss of every mix by training budget; bars reach over the seeds",
}
_ACCURACIES = "Accuracy in percent by ability, as in the paper's Table 1"
_PUBLISHED = {
    1: "Published: Table 1 of the paper, in percent",
    2: "Published: Table 2 of the paper, criteria and tokens of QuaDMix-OH, in percent",
    3: "Published: Table 3 of the paper, the two objectives, in percent",
}


def is_compared(store: Store) -> bool:
    """Whether the comparison has been made."""
    return store.exists(store.path(COMPARISON_TABLE, "methods.parquet"))


def comparison_html(store: Store, settings: Settings) -> str:
    """All that was measured of models trained on the mixes; empty where nothing was.

    Raises:
        DamagedOutputError: what was read is not what was written.
    """
    if not is_compared(store):
        return ""
    tables = read_comparison_tables(store)
    figures = [
        (COMPARISON_TABLE, name, _CAPTIONS.get(name, name.replace("_", " ")))
        for name in figure_names(store, COMPARISON_TABLE)
    ]
    figures.append((REPORT, LOSSES_BY_BUDGET, _CAPTIONS[LOSSES_BY_BUDGET]))
    return "".join(
        [
            paragraphs(_what_was_trained(settings)),
            heading(3, "Mixes of one size"),
            paragraphs(_left_out(store, settings, tables.methods)),
            _group(tables.methods),
            figures_html(store, figures),
            *_natural(tables.natural),
            _or_nothing(
                budgets_shown(tables.budgets),
                "Rank correlation of the mixes between training budgets; where two seeds of one "
                "budget agree no better, chance decides on the order",
            ),
            _or_nothing(
                ablations_shown(tables.ablations),
                "Mixes that differ in one option, at the largest budget, with half a 90 % interval",
            ),
            _published(),
            _models(store, settings.production_mix.name),
        ]
    )


def _what_was_trained(settings: Settings) -> str:
    evidence = settings.evidence
    budgets = " and ".join(f"{budget:,}" for budget in evidence.budgets)
    models = "1 model" if evidence.n_seeds == 1 else f"{evidence.n_seeds} models"
    return (
        f"On every mix {models} of the architecture {evidence.model.architecture} "
        f"{'is' if evidence.n_seeds == 1 else 'are'} trained for each training budget ({budgets} "
        "tokens), with the same initial weights and orders for all mixes. Losses are in nats per "
        "token, lower is better, of the largest budget. Objectives are measured on the proof parts "
        "of their target sets, which the search did not see; held-out sets are used by nothing "
        "else. ± is half a 90 % interval. Whether two mixes differ is said by the gains (“better "
        "by”), which are over pairs of the same set and seed, and not by whether the intervals of "
        "their means overlap."
    )


def _left_out(store: Store, settings: Settings, methods: pl.DataFrame) -> str:
    """Which measured mixes are not among those of one size."""
    names = [
        name
        for name in settings.mix_names
        if name not in methods["mix"] and results_path(store, name).exists()
    ]
    return (
        f"Not in these tables, being of another size or measured later: {', '.join(names)}."
        if names
        else ""
    )


def _group(methods: pl.DataFrame) -> str:
    if methods.is_empty():
        return ""
    parts = [_table(sizes_shown(methods), "What each mix takes, and what its models read of it")]
    accuracies = accuracies_shown(methods)
    if accuracies is not None:
        parts.append(_table(accuracies, _ACCURACIES))
    parts += [
        _table(losses_shown(methods, name), f"By {measure_in_words(name)}, best average rank first")
        for name in measures_in(methods)
    ]
    return "".join(parts)


def _natural(natural: pl.DataFrame) -> list[str]:
    if natural.is_empty():
        return []
    words = "To take 2 % of a pool is another question than to take 20 %, so these are apart."
    return [heading(3, "Mixes of their natural size"), paragraphs(words), _group(natural)]


def _published() -> str:
    words = (
        "The numbers of the paper (arXiv:2504.16511) are of models of 530 million parameters, "
        "trained on 500 billion tokens chosen from RefinedWeb. They say what order of the methods "
        "to expect, and nothing of the size of differences on this pool."
    )
    tables = (table(published_table(n), caption) for n, caption in _PUBLISHED.items())
    return heading(3, "The paper's numbers") + paragraphs(words) + "".join(tables)


def _or_nothing(frame: pl.DataFrame, caption: str) -> str:
    return "" if frame.is_empty() else _table(frame, caption)


def _table(frame: pl.DataFrame, caption: str) -> str:
    """A table whose row of the mix in production is bold."""
    production = [name for name in frame[frame.columns[0]] if str(name).endswith(", in production")]
    return table(frame, caption, bold=production)


def _models(store: Store, production: str) -> str:
    """What the assets of the mix in production have drawn of their models."""
    shown = [
        (asset, name, f"{production}: {name.replace('_', ' ')}")
        for what in (LANGUAGE_MODEL, BENCHMARK_RESULTS)
        for asset in (mix_output(production, what),)
        for name in figure_names(store, asset)
    ]
    figures = figures_html(store, shown)
    return heading(3, f"Models of {production}") + figures if figures else ""
