"""Whether the order of the mixes is the same after little training as after much."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import polars as pl

from quadmix_assets.comparison.evidence import MixEvidence
from quadmix_assets.comparison.measures import Scores, measures_of, scores_of
from quadmix_assets.evidence.results import LANGUAGE_MODEL
from quadmix_assets.evidence.words import measure_in_words
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.metrics import spearman
from quadmix_assets.settings import Settings

BUDGETS_SCHEMA = {
    "measure": pl.String,
    "budget": pl.Int64,
    "other_budget": pl.Int64,
    "n_mixes": pl.Int64,
    "spearman": pl.Float64,
    "kendall": pl.Float64,
    "spearman_of_seeds": pl.Float64,
}
# What two budgets must be apart to say something, and how much their orders may differ.
FAR_APART = 3.0
LEAST_CORRELATION = 0.5
_LEAST_MIXES = 3


def budget_table(settings: Settings, evidence: MixEvidence, mixes: Sequence[str]) -> pl.DataFrame:
    """Rank correlations of the mixes' means between every two budgets: columns of BUDGETS_SCHEMA.

    `spearman_of_seeds` is the mean correlation between the orders by single seeds of the larger
    budget: where that is low, seeds decide on the order, and no two budgets can agree.

    Args:
        settings: of the project.
        evidence: of all mixes.
        mixes: those of one size; with fewer than three there is no order to compare.
    """
    rows = []
    for measure in measures_of(settings, evidence.results):
        by_budget = {
            budget: scores_of(evidence.results, measure, mixes, LANGUAGE_MODEL, budget)
            for budget in evidence.budgets(LANGUAGE_MODEL)
        }
        for small, large in combinations(sorted(by_budget), 2):
            row = _correlations(by_budget[small], by_budget[large])
            if row is not None:
                names = {"measure": measure.name, "budget": small, "other_budget": large}
                rows.append(names | row)
    return pl.DataFrame(rows, schema=BUDGETS_SCHEMA)


def _correlations(small: Scores, large: Scores) -> dict[str, float | int | None] | None:
    from scipy.stats import kendalltau

    one, two = (
        np.array([scores.mean(mix).value for mix in scores.mixes]) for scores in (small, large)
    )
    both = ~(np.isnan(one) | np.isnan(two))
    if both.sum() < _LEAST_MIXES:
        return None
    return {
        "n_mixes": int(both.sum()),
        "spearman": spearman(one[both], two[both]),
        "kendall": float(kendalltau(one[both], two[both]).statistic),
        "spearman_of_seeds": _between_seeds(large),
    }


def _between_seeds(scores: Scores) -> float | None:
    """The mean rank correlation between the orders of the mixes by two seeds."""
    by_mix = [scores.per_seed(mix) for mix in scores.mixes]
    found = []
    for one, two in combinations(scores.seeds, 2):
        values: FloatArray = np.array(
            [(each[one], each[two]) for each in by_mix if one in each and two in each]
        )
        if len(values) >= _LEAST_MIXES:
            found.append(spearman(values[:, 0], values[:, 1]))
    return float(np.mean(found)) if found else None


def far_apart(budgets: Sequence[int]) -> tuple[int, int] | None:
    """The largest budget and the next one that is three times smaller; None if none is."""
    far = [small for small in budgets if small * FAR_APART <= max(budgets)]
    return (max(far), max(budgets)) if far else None


def budgets_in_words(table: pl.DataFrame, budgets: Sequence[int], measure: str) -> tuple[bool, str]:
    """Whether the two largest budgets at least three times apart agree, and what to make of it.

    Args:
        table: columns of BUDGETS_SCHEMA.
        budgets: training tokens that models were measured at.
        measure: what counts.
    """
    two = far_apart(budgets)
    if two is None:
        words = ", ".join(f"{budget:,}" for budget in budgets) or "none"
        return False, (
            f"no two training budgets are {FAR_APART:.0f} times apart ({words} tokens): whether "
            "the order of the mixes depends on the budget is not known; add one to evidence.budgets"
        )
    small, large = two
    rows = table.filter(
        (pl.col("measure") == measure)
        & (pl.col("budget") == small)
        & (pl.col("other_budget") == large)
    )
    if rows.is_empty():
        return False, f"fewer than {_LEAST_MIXES} mixes of one size were measured at both budgets"
    (row,) = rows.iter_rows(named=True)
    passed = row["spearman"] >= LEAST_CORRELATION
    words = (
        f"rank correlation of {row['n_mixes']} mixes by {measure_in_words(measure)} between "
        f"{small:,} and {large:,} training tokens: {row['spearman']:.2f} "
        f"(Kendall {row['kendall']:.2f})"
    )
    if row["spearman_of_seeds"] is not None:
        words += f"; between seeds at {large:,}: {row['spearman_of_seeds']:.2f}"
    if not passed:
        words += (
            ". The order depends on the budget: do not read it as that of longer trainings, and "
            "raise evidence.budgets"
        )
    return passed, words


def means_by_budget(
    settings: Settings, evidence: MixEvidence, mixes: Sequence[str], measure: str
) -> pl.DataFrame:
    """The mean of every mix at every budget by one measure: columns mix, budget, mean.

    Mixes without a score at a budget are left out of it.
    """
    (chosen,) = [each for each in measures_of(settings, evidence.results) if each.name == measure]
    rows = []
    for budget in evidence.budgets(LANGUAGE_MODEL):
        scores = scores_of(evidence.results, chosen, mixes, LANGUAGE_MODEL, budget)
        rows += [(mix, budget, scores.mean(mix).value) for mix in mixes]
    schema = {"mix": pl.String, "budget": pl.Int64, "mean": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").filter(pl.col("mean").is_finite())
