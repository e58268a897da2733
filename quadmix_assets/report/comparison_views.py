"""Views over the comparison of mixes by the models that were trained on them."""

from quadmix_assets.outputs import COMPARISON_TABLE
from quadmix_assets.report.view import (
    COMPARISON_ABLATIONS,
    COMPARISON_BUDGETS,
    COMPARISON_NATURAL,
    COMPARISON_PAIRS,
    COMPARISON_PUBLISHED,
    COMPARISON_REGRESSORS,
    View,
    read_files,
)


def comparison_views() -> list[View]:
    """Views over the tables of `comparison_table`."""
    groups = ((COMPARISON_TABLE, "equal"), (COMPARISON_NATURAL, "natural"))
    both = " UNION ALL BY NAME ".join(
        f"SELECT '{name}' AS sizes, * FROM {read_files(output)}" for output, name in groups
    )
    return [
        View(
            "comparison_table",
            (COMPARISON_TABLE, COMPARISON_NATURAL),
            "One row per group of sizes and measured mix: what it takes, and what models reach.",
            both,
        ),
        View(
            "comparison_pairs",
            (COMPARISON_TABLE, COMPARISON_PAIRS),
            "One row per two measured mixes, measure, model and budget: gain, interval, win rate.",
            f"SELECT * FROM {read_files(COMPARISON_PAIRS)}",
        ),
        View(
            "comparison_budgets",
            (COMPARISON_TABLE, COMPARISON_BUDGETS),
            "One row per measure and two training budgets: whether mixes have the same order.",
            f"SELECT * FROM {read_files(COMPARISON_BUDGETS)}",
        ),
        View(
            "comparison_ablations",
            (COMPARISON_TABLE, COMPARISON_ABLATIONS),
            "One row per two mixes that differ in one option, measure, model and budget.",
            f"SELECT * FROM {read_files(COMPARISON_ABLATIONS)}",
        ),
        View(
            "comparison_regressors",
            (COMPARISON_TABLE, COMPARISON_REGRESSORS),
            "One row per target set, what the regressor learns from, and number of proxies.",
            f"SELECT * FROM {read_files(COMPARISON_REGRESSORS)}",
        ),
        View(
            "published_results",
            (COMPARISON_TABLE, COMPARISON_PUBLISHED),
            "One row per result of the QuaDMix paper: other models, another pool.",
            f"SELECT * FROM {read_files(COMPARISON_PUBLISHED)}",
        ),
    ]
