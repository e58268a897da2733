"""The table of extreme documents."""

import numpy as np
import polars as pl
import pytest

from quadmix_assets.features.tables import extreme_documents


def test_best_come_first_and_worst_last() -> None:
    rng = np.random.default_rng(0)
    scores = rng.permutation(20).astype(np.float64)
    table = extreme_documents([f"d{s:.0f}" for s in scores], ["text"] * 20, scores, n=3)
    assert table["end"].to_list() == ["top"] * 3 + ["bottom"] * 3
    assert table["id"].to_list() == ["d19", "d18", "d17", "d2", "d1", "d0"]
    assert table["score"].to_list() == [19.0, 18.0, 17.0, 2.0, 1.0, 0.0]


@pytest.mark.parametrize("n_documents", [0, 1, 2, 5])
def test_few_documents_stand_once(n_documents: int) -> None:
    ids = [f"d{k}" for k in range(n_documents)]
    table = extreme_documents(ids, ids, np.arange(n_documents, dtype=np.float64), n=5)
    assert sorted(table["id"]) == ids
    assert table.schema == pl.Schema(
        {"end": pl.String, "score": pl.Float64, "id": pl.String, "text": pl.String}
    )


def test_ties_do_not_depend_on_the_order_of_documents() -> None:
    ids = ["c", "a", "d", "b"]
    forward = extreme_documents(ids, ids, np.zeros(4), n=1)
    backward = extreme_documents(ids[::-1], ids[::-1], np.zeros(4), n=1)
    assert forward.equals(backward)
    assert forward["id"].to_list() == ["a", "d"]


def test_excerpts_are_one_short_line() -> None:
    table = extreme_documents(
        ["a", "b"], ["one\n\n two", "word " * 1000], np.arange(2.0), excerpt=20
    )
    assert table["text"].to_list() == ["word word word word…", "one two"]
