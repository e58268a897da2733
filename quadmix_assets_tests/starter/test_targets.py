"""How files become target sets."""

from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from quadmix_assets.starter.targets import TargetGuess, guess_targets
from quadmix_assets_tests.corpus.test_target_formats import ROWS
from quadmix_assets_tests.lakes import write_lines


def guess_of(folder: Path, rows: list[dict[str, Any]]) -> TargetGuess:
    write_lines(folder / "t.jsonl", rows)
    (guess,) = guess_targets(UPath(folder))
    return guess


@pytest.mark.parametrize("format", list(ROWS))
def test_published_formats_are_known_by_their_rows(tmp_path: Path, format: str) -> None:
    guess = guess_of(tmp_path, [ROWS[format]] * 3)
    assert (guess.options, guess.n_rows) == ({"format": format}, 3)


@pytest.mark.parametrize(
    ("row", "options"),
    [
        ({"text": "t", "question": "q", "answer": "a"}, {}),
        ({"instruction": "i", "output": "o"}, {"template": "{instruction}\n\n{output}"}),
        ({"title": "t", "story": "a longer one"}, {"text_column": "story"}),
    ],
)
def test_columns_of_text(tmp_path: Path, row: dict[str, Any], options: dict[str, str]) -> None:
    assert guess_of(tmp_path, [row]).options == options


@pytest.mark.parametrize("rows", [[], [{"n": 1}], [{"story": "a"}, {"story": None}]])
def test_files_that_hold_no_text_say_why(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    guess = guess_of(tmp_path, rows)
    assert not guess.is_usable
    assert "no row" in guess.reason or "no column" in guess.reason


def test_names_and_parts(tmp_path: Path) -> None:
    for name in (
        "arc_test.jsonl",
        "arc_train.jsonl",
        "arc_dev.jsonl",
        "7 b.jsonl",
        "lone_test.jsonl",
    ):
        write_lines(tmp_path / name, [{"text": "t"}])
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "broken.parquet").write_text("x")
    found = {guess.name: guess.train_name for guess in guess_targets(UPath(tmp_path))}
    assert found == {
        "target_7_b": None,
        "arc_dev": "arc_train",
        "arc_test": "arc_train",
        "arc_train": None,
        "broken": None,
        "lone_test": None,
    }


def test_no_folder(tmp_path: Path) -> None:
    assert guess_targets(UPath(tmp_path / "none")) == []
