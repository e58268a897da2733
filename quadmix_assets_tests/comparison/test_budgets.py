import polars as pl

from quadmix_assets.comparison.budgets import BUDGETS_SCHEMA, budgets_in_words


def table(spearman: float) -> pl.DataFrame:
    rows = [("held_out", 1_000, 4_000, 8, spearman, spearman, 0.7)]
    return pl.DataFrame(rows, schema=BUDGETS_SCHEMA, orient="row")


def test_budgets_that_agree_pass() -> None:
    passed, words = budgets_in_words(table(0.9), [1_000, 4_000], "held_out")
    assert passed
    assert "8 mixes by loss on held-out sets between 1,000 and 4,000 training tokens: 0.90" in words
    assert "between seeds at 4,000: 0.70" in words


def test_budgets_that_disagree_say_what_to_do() -> None:
    passed, words = budgets_in_words(table(0.3), [1_000, 4_000], "held_out")
    assert not passed and "raise evidence.budgets" in words


def test_budgets_close_together_say_nothing() -> None:
    for budgets in ([4_000], [2_000, 4_000], []):
        passed, words = budgets_in_words(table(0.9), budgets, "held_out")
        assert not passed and "add one to evidence.budgets" in words


def test_too_few_mixes_have_no_order() -> None:
    empty = table(0.9).clear()
    passed, words = budgets_in_words(empty, [1_000, 4_000], "held_out")
    assert not passed and "fewer than 3 mixes" in words
