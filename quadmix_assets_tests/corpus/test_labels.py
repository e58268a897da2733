from pathlib import Path
from typing import Any

import polars as pl
import pytest
from upath import UPath

from quadmix_assets.corpus.labels import read_labels
from quadmix_assets.corpus.readers import UnreadableShardError
from quadmix_assets.settings import LabelledExamples
from quadmix_assets_tests.lakes import write_lines


def settings(**change: Any) -> LabelledExamples:
    return LabelledExamples(None, **{"text_column": "text", "domain_column": "domain", **change})


def labels_of(folder: Path, rows: list[dict[str, Any]], **change: Any) -> pl.DataFrame:
    return read_labels(UPath(write_lines(folder / "labels.jsonl", rows)), settings(**change))


def test_texts_stand_beside_their_labels_over_many_batches(tmp_path: Path) -> None:
    rows = [{"id": "x", "body": f"text {n}", "kind": "ab"[n % 2]} for n in range(9_000)]
    expected = [(row["body"], row["kind"]) for row in rows]
    columns = {"text_column": "body", "domain_column": "kind"}
    assert labels_of(tmp_path, rows, **columns).rows() == expected
    path = tmp_path / "labels.parquet"
    pl.DataFrame(rows).write_parquet(path)
    assert read_labels(UPath(path), settings(**columns)).rows() == expected


def test_row_without_a_label_is_named(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"text": "words", "domain": "a"} for _ in range(10)]
    rows[6]["domain"] = None
    del rows[8]["domain"]
    with pytest.raises(ValueError, match=r"labels.jsonl, row 7: no label .*'domain' \(2 such rows"):
        labels_of(tmp_path, rows)


def test_row_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    rows = [{"text": "words", "domain": "a"}, {"text": " ", "domain": "b"}]
    with pytest.raises(ValueError, match=r"labels.jsonl, row 2: empty_text"):
        labels_of(tmp_path, rows)


def test_no_example_at_all(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no labelled example"):
        labels_of(tmp_path, [])


def test_file_without_the_text_column(tmp_path: Path) -> None:
    with pytest.raises(UnreadableShardError, match="no column 'text'"):
        labels_of(tmp_path, [{"body": "words", "domain": "a"}])


def test_number_as_a_label_is_its_digits(tmp_path: Path) -> None:
    labelled = labels_of(tmp_path, [{"text": "words", "domain": 3}])
    assert labelled["domain"].to_list() == ["3"]
