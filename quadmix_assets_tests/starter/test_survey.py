"""What is known of a pool after a look at some of its rows."""

from pathlib import Path

import polars as pl
from upath import UPath

from quadmix_assets.corpus.check.shards import N_ROWS, N_SHARDS
from quadmix_assets.starter.survey import survey_pool
from quadmix_assets_tests.lakes import write_lines


def test_columns_of_shards_that_differ(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [{"text": "one two", "meta": {"url": "u", "n": None}}] * 3)
    pl.DataFrame({"text": ["three", None], "n": [1, 2], "x": [0.5, 1.0]}).write_parquet(
        tmp_path / "b.parquet"
    )
    (tmp_path / "c.parquet").write_bytes(b"no parquet")
    survey = survey_pool(UPath(tmp_path))
    assert (survey.n_read, survey.n_unreadable, survey.n_rows_read) == (2, 1, 5)
    assert survey.formats == {".jsonl": 1, ".parquet": 2}
    columns = survey.columns
    assert {name: column.type for name, column in columns.items()} == {
        "text": "string", "meta.url": "string", "meta.n": "null", "n": "int", "x": "float"
    }  # fmt: skip
    assert (columns["text"].n_values, columns["text"].n_null) == (4, 1)
    assert (columns["text"].n_characters, columns["text"].n_words) == (26, 7)
    assert columns["text"].example == "one two"


def test_a_large_pool_is_looked_at_in_part(tmp_path: Path) -> None:
    for number in range(50):
        rows = {"text": [f"words {number}"] * 300}
        pl.DataFrame(rows).write_parquet(tmp_path / f"{number:02}.parquet")
    survey = survey_pool(UPath(tmp_path))
    assert (survey.n_read, survey.n_rows_read) == (N_SHARDS, N_SHARDS * N_ROWS)
    assert survey.n_rows == 50 * 300


def test_pool_by_uri() -> None:
    folder = UPath("memory://survey")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.jsonl").write_text('{"text": "words"}\n')
    survey = survey_pool(folder)
    assert (survey.n_rows, list(survey.columns)) == (1, ["text"])
