"""The table of methods: one row per mix with its size, its scores, and how it compares."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from quadmix_assets.comparison.evidence import MixEvidence
from quadmix_assets.comparison.measures import (
    TASK_ACCURACY,
    Measure,
    Scores,
    measures_of,
    scores_of,
)
from quadmix_assets.comparison.pairs import PAIRS_SCHEMA, compare_all, gain_row
from quadmix_assets.evidence.results import LANGUAGE_MODEL, TRIGRAM
from quadmix_assets.evidence.tasks.abilities import ability_of
from quadmix_assets.search.intervals import finite_or_none
from quadmix_assets.settings import Settings
from quadmix_assets.settings.evidence import Ability

ABILITY_COLUMNS: dict[Ability, str] = {
    "reading comprehension": "accuracy_reading_comprehension",
    "commonsense": "accuracy_commonsense",
    "knowledge": "accuracy_knowledge",
    "math": "accuracy_math",
}
AVERAGE = "accuracy_average"
# The method whose mixes are what others have to beat.
_RANDOM = "random"

METHODS_SCHEMA = {
    "mix": pl.String,
    "method": pl.String,
    "is_production": pl.Boolean,
    "n_tokens": pl.Int64,
    "n_documents": pl.Int64,
    "tokens_per_document": pl.Float64,
    "epochs": pl.Float64,
    "training_epochs": pl.Float64,
    "n_models": pl.Int64,
    "n_failed": pl.Int64,
    **dict.fromkeys(ABILITY_COLUMNS.values(), pl.Float64),
    AVERAGE: pl.Float64,
}
"""The columns that every table of methods has. Those of each measure follow, see PER_MEASURE."""

PER_MEASURE = (
    "mean",
    "mean_low",
    "mean_high",
    "rank",
    "win_rate",
    "over_random",
    "over_random_low",
    "over_random_high",
    "production_gain",
    "production_gain_low",
    "production_gain_high",
)
"""Columns per measure, such as `mean[held_out]`; `trigram[held_out]` is that of trigram models."""


def measure_columns(measures: Sequence[Measure]) -> dict[str, Any]:
    """The columns of measures in a table of methods, with their types."""
    names = [f"{column}[{measure.name}]" for measure in measures for column in PER_MEASURE]
    names += [f"{TRIGRAM}[{measure.name}]" for measure in measures if measure.is_loss]
    return dict.fromkeys(names, pl.Float64)


def method_table(
    settings: Settings, evidence: MixEvidence, mixes: Sequence[str], sizes: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The table of a group of mixes at the largest budget, and all pairs at every budget.

    Args:
        settings: of the project.
        evidence: of all mixes.
        mixes: those of the group, in the order of the rows.
        sizes: name of the group.

    Returns:
        Columns of METHODS_SCHEMA and `measure_columns`; columns of PAIRS_SCHEMA.
    """
    measures = measures_of(settings, evidence.results)
    production = settings.production_mix.name
    pairs, found = [], {}
    for model in evidence.models_measured:
        for budget in evidence.budgets(model):
            for measure in measures:
                scores = scores_of(evidence.results, measure, mixes, model, budget)
                if not scores.seeds or np.isnan(scores.values).all():
                    continue
                # Budgets ascend, so that the largest one stays.
                found[model, measure.name] = scores
                pairs.append(
                    compare_all(
                        scores, sizes=sizes, model=model, budget=budget, production=production
                    )
                )
    rows = [
        {
            **_of_mix(settings, evidence, mix, found),
            **_of_measures(settings, evidence, mix, measures, found),
        }
        for mix in mixes
    ]
    schema: dict[str, Any] = {**METHODS_SCHEMA, **measure_columns(measures)}
    every = pl.concat([pl.DataFrame(schema=PAIRS_SCHEMA), *pairs])
    return pl.DataFrame(rows, schema=schema), every


def _of_mix(
    settings: Settings,
    evidence: MixEvidence,
    mix: str,
    found: Mapping[tuple[str, str], Scores],
) -> dict[str, object]:
    """Sizes, models, and accuracies by ability; the average is over tasks, as in the paper."""
    (size,) = evidence.sizes.filter(pl.col("mix") == mix).iter_rows(named=True)
    budgets = evidence.budgets(LANGUAGE_MODEL)
    models = evidence.models.filter(
        (pl.col("mix") == mix) & (pl.col("budget") == (budgets[-1] if budgets else None))
    )
    trained = models.filter(pl.col("status") == "trained")
    row = {name: size[name] for name in METHODS_SCHEMA if name in size}
    row["training_epochs"] = trained["epochs"].mean()
    row["n_models"], row["n_failed"] = trained.height, models.height - trained.height
    tasks = found.get((LANGUAGE_MODEL, TASK_ACCURACY))
    if tasks is not None:
        row[AVERAGE] = finite_or_none(tasks.mean(mix).value)
        groups = {task.name: ability_of(task) for task in settings.evidence.tasks}
        for ability, column in ABILITY_COLUMNS.items():
            row[column] = _mean_of_sets(
                tasks, mix, [name for name in tasks.sets if groups[name] == ability]
            )
    return row


def _of_measures(
    settings: Settings,
    evidence: MixEvidence,
    mix: str,
    measures: Sequence[Measure],
    found: Mapping[tuple[str, str], Scores],
) -> dict[str, float | None]:
    production = settings.production_mix.name
    methods = dict(evidence.sizes.select("mix", "method").iter_rows())
    row: dict[str, float | None] = {}
    for measure in measures:
        scores = found.get((LANGUAGE_MODEL, measure.name))
        if scores is not None:
            mean = scores.mean(mix)
            others = [other for other in scores.mixes if other != mix]
            rates = [scores.gain(mix, other).win_rate for other in others]
            values: dict[str, float | None] = {
                "mean": mean.value,
                "mean_low": mean.low,
                "mean_high": mean.high,
                "rank": scores.ranks()[mix],
                "win_rate": float(np.mean(rates)) if rates else None,
            }
            random = next((m for m in scores.mixes if methods[m] == _RANDOM and m != mix), None)
            values |= _gain_columns("over_random", scores, mix, random)
            if production != mix and production in scores.mixes:
                values |= _gain_columns("production_gain", scores, production, mix)
            row |= {
                f"{name}[{measure.name}]": finite_or_none(value) for name, value in values.items()
            }
        trigram = found.get((TRIGRAM, measure.name))
        if trigram is not None:
            row[f"{TRIGRAM}[{measure.name}]"] = finite_or_none(trigram.mean(mix).value)
    return row


def _gain_columns(
    name: str, scores: Scores, mix: str, other: str | None
) -> dict[str, float | None]:
    if other is None:
        return {}
    row = gain_row(scores.gain(mix, other))
    return {name: row["gain"], f"{name}_low": row["gain_low"], f"{name}_high": row["gain_high"]}


def _mean_of_sets(scores: Scores, mix: str, sets: Sequence[str]) -> float | None:
    places = [scores.sets.index(name) for name in sets]
    values = scores.values[scores.mixes.index(mix)][places]
    return None if not places or np.isnan(values).all() else float(np.nanmean(values))
