"""Group `comparison`: mixes by what language models trained on them reach."""

from typing import Any

import dagster as dg
import polars as pl

from quadmix_assets.comparison.budgets import budgets_in_words, means_by_budget
from quadmix_assets.comparison.comparison_tables import (
    EQUAL,
    ComparisonTables,
    compare_methods,
    read_comparison_tables,
    write_comparison_tables,
)
from quadmix_assets.comparison.comparison_words import (
    ablations_shown,
    accuracies_shown,
    beats_the_simple_ones,
    budgets_shown,
    deciding_measure,
    losses_shown,
    measures_in,
    regressors_shown,
    sizes_shown,
)
from quadmix_assets.comparison.evidence import MixEvidence
from quadmix_assets.comparison.evidence_plots import plot_budgets, plot_gains, plot_win_rates
from quadmix_assets.comparison.measures import loss_units
from quadmix_assets.comparison.published import published_table
from quadmix_assets.comparison.regressor_ablation import made_from
from quadmix_assets.defs.conditions import with_any_of
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import Cost, clear_errors, figure, readable_table
from quadmix_assets.defs.mix_names import mix_key
from quadmix_assets.defs.resources import OWNERS, SETTINGS, ProjectResource, version_of
from quadmix_assets.evidence.results import LANGUAGE_MODEL
from quadmix_assets.evidence.words import measure_in_words
from quadmix_assets.outputs import BENCHMARK_RESULTS, COMPARISON_TABLE
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store

_RESULTS = [mix_key(mix, BENCHMARK_RESULTS) for mix in SETTINGS.mixes]

WITH_RESULTS = with_any_of(_RESULTS, "a mix was measured")


@dg.asset(
    group_name="comparison",
    kinds={"polars", "parquet"},
    owners=OWNERS,
    code_version=version_of(COMPARISON_TABLE, 1),
    deps=[*_RESULTS, "regressor"],
    automation_condition=WITH_RESULTS,
)
@faults_in_words
def comparison_table(project: ProjectResource) -> dg.MaterializeResult:
    """All measured mixes against each other: the paper's Tables 1 to 3 for this pool.

    Losses on the proof part of the target sets and on held-out sets, and accuracies on tasks, of
    language models that were trained on equally many tokens of each mix. Mixes are paired by set
    and seed; intervals hold 90 %. The tables compare mixes of one size; `natural.csv` has those of
    the size that their method takes by itself. `docs/evidence.md` says how to read them.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError, ValueError):
        tables, evidence = compare_methods(store, settings)
    folder = write_comparison_tables(store, tables, made_from(store, settings))
    return materialized(
        project,
        COMPARISON_TABLE,
        {
            "dagster/uri": str(folder),
            "n_mixes": len(evidence.mixes),
            **_shown(settings, tables, evidence),
            **_figures(store, settings, tables, evidence),
            **cost.metadata(),
        },
    )


def _shown(settings: Settings, tables: ComparisonTables, evidence: MixEvidence) -> dict[str, Any]:
    methods = tables.methods
    shown: dict[str, Any] = {"sizes": readable_table(sizes_shown(methods))}
    accuracies = accuracies_shown(methods)
    if accuracies is not None:
        shown["accuracies"] = readable_table(accuracies)
    for measure in measures_in(methods):
        shown[f"by {measure_in_words(measure)}"] = readable_table(losses_shown(methods, measure))
    if tables.natural.height:
        shown["natural_sizes"] = readable_table(sizes_shown(tables.natural))
        for measure in measures_in(tables.natural):
            name = f"natural sizes by {measure_in_words(measure)}"
            shown[name] = readable_table(losses_shown(tables.natural, measure))
    if tables.budgets.height:
        shown["budgets"] = readable_table(budgets_shown(tables.budgets))
    if tables.ablations.height:
        shown["ablations"] = readable_table(ablations_shown(tables.ablations))
    if tables.regressors.height:
        shown["regressors"] = readable_table(regressors_shown(tables.regressors))
    if evidence.without_results:
        shown["not_measured"] = ", ".join(evidence.without_results)
    there = {*evidence.mixes, *evidence.without_results}
    not_finished = [name for name in settings.mix_names if name not in there]
    if not_finished:
        shown["not_finished"] = ", ".join(not_finished)
    shown["published (530M parameters, RefinedWeb, %)"] = readable_table(published_table(1))
    return shown


def _figures(
    store: Store, settings: Settings, tables: ComparisonTables, evidence: MixEvidence
) -> dict[str, dg.MetadataValue]:
    methods, measures = tables.methods, measures_in(tables.methods)
    mixes = methods["mix"].to_list()
    if not measures:
        return {}
    deciding = deciding_measure(settings, methods)
    means = means_by_budget(settings, evidence, mixes, deciding)
    pairs = tables.pairs.filter(
        (pl.col("sizes") == EQUAL)
        & (pl.col("measure") == deciding)
        & (pl.col("model") == LANGUAGE_MODEL)
    )
    largest = pairs.filter(pl.col("budget") == pl.col("budget").max())
    plots = {
        "gains": plot_gains(methods, measures, loss_units(settings)),
        "win_rates": plot_win_rates(largest, mixes, deciding),
        "ranks_by_budget": plot_budgets(means, deciding),
    }
    return {name: figure(store, COMPARISON_TABLE, name, plot) for name, plot in plots.items()}


@dg.asset_check(asset=comparison_table)
@faults_in_words
def budgets_agree(project: ProjectResource) -> dg.AssetCheckResult:
    """Whether mixes have the same order after little training as after three times as much.

    Where they have not, the largest budget says nothing of still larger ones.
    """
    settings = project.settings
    tables = read_comparison_tables(project.store)
    passed, words = budgets_in_words(
        tables.budgets,
        tables.pairs.filter(pl.col("model") == LANGUAGE_MODEL)["budget"].unique().sort().to_list(),
        deciding_measure(settings, tables.methods),
    )
    return dg.AssetCheckResult(
        passed=passed, severity=dg.AssetCheckSeverity.WARN, description=words
    )


@dg.asset_check(asset=comparison_table)
@faults_in_words
def production_beats_the_simple_ones(project: ProjectResource) -> dg.AssetCheckResult:
    """Whether the mix in production is better than random documents and any single criterion.

    By its own objective and on held-out sets, with 90 % intervals above zero. Where it is not, the
    simpler mix is as good: look at `optimum_check` and `regressor` first.
    """
    tables = read_comparison_tables(project.store)
    passed, words = beats_the_simple_ones(project.settings, tables.methods, tables.pairs)
    return dg.AssetCheckResult(
        passed=passed, severity=dg.AssetCheckSeverity.WARN, description=words
    )


@dg.definitions
def comparison() -> dg.Definitions:
    """The comparison by models, if the profile trains them."""
    if not SETTINGS.evidence.enabled:
        return dg.Definitions()
    return dg.Definitions(
        assets=[comparison_table], asset_checks=[budgets_agree, production_beats_the_simple_ones]
    )
