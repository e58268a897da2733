import numpy as np
import polars as pl
import pytest

from quadmix_assets.comparison.published import ABILITIES, published_results, published_table

# Tasks of the paper by ability: ARC-E, ARC-C, TriviaQA; PIQA, HellaSwag, OpenBookQA; MMLU,
# NQ-open; SVAMP.
N_TASKS = {"reading comprehension": 3, "commonsense": 3, "knowledge": 2, "math": 1}


@pytest.mark.parametrize("table", [1, 2])
def test_averages_are_those_of_the_nine_tasks(table: int) -> None:
    """What was copied adds up: the mean over nine tasks, but for what rounding takes."""
    rows = published_table(table)
    total = sum(n * rows[ability] for ability, n in N_TASKS.items())
    assert np.abs((total / 9 - rows["average"]).to_numpy()).max() <= 0.1


def test_tables_have_the_rows_of_the_paper() -> None:
    results = published_results()
    assert published_table(1).columns == ["method", "n_tokens", *ABILITIES]
    assert published_table(1).height == published_table(2).height == 9
    best = published_table(1).sort("average").row(-1, named=True)
    assert best["method"] == "QuaDMix-BMK" and best["n_tokens"] == 30_000_000_000
    # The same mix in the first two tables.
    oh = results.filter((pl.col("method").str.starts_with("QuaDMix-OH"))
                        & (pl.col("score") == "average") & (pl.col("percent") == 39.0))  # fmt: skip
    assert oh["published_table"].to_list() == [1, 2]
    assert (
        results["percent"].is_between(0, 100).all()
        and results.null_count().sum_horizontal()[0] == 0
    )
