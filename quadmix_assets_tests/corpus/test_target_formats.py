"""Rows as the data sets' own pages show them."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError
from upath import UPath

from quadmix_assets.corpus.target_formats.base import Fields, Row, TargetFormat
from quadmix_assets.corpus.target_formats.registry import FORMATS
from quadmix_assets.corpus.target_sets import read_target_set
from quadmix_assets.settings import TargetSettings

ROWS: dict[str, dict[str, Any]] = {
    "conversations": {
        "conversations": [
            {"from": "system", "value": "Be brief.", "weight": None},
            {"from": "human", "value": "2 + 2?", "weight": 0},
            {"from": "gpt", "value": "4", "weight": 1},
            {"from": "human", "value": "And 3 + 3?", "weight": 0},
            {"from": "gpt", "value": "6", "weight": 1},
        ]
    },
    "hellaswag": {
        "ctx": "A man is sitting on a roof. he",
        "endings": ["is using wrap.", "is ripping level tiles off.", "holds a cube.", "starts."],
        "label": "3",
    },
    "arc": {
        "id": "Mercury_7175875",
        "question": "Which of these is a liquid?",
        "choices": {"text": ["ice", "water", "steam"], "label": ["A", "B", "C"]},
        "answerKey": "B",
    },
    "mmlu": {"question": "What is 1 + 1?", "choices": ["1", "2", "3", "4"], "answer": 1},
    "triviaqa": {
        "question": "Who was president in 1861?",
        "answer": {"value": "Abraham Lincoln", "aliases": ["Lincoln"]},
    },
}
TEXTS = {
    "conversations": "2 + 2?\n\n4\n\nAnd 3 + 3?\n\n6",
    "hellaswag": "A man is sitting on a roof. he starts.",
    "arc": "Question: Which of these is a liquid?\nAnswer: water",
    "mmlu": "Question: What is 1 + 1?\nAnswer: 2",
    "triviaqa": "Question: Who was president in 1861?\nAnswer: Abraham Lincoln",
}


@pytest.mark.parametrize("format", list(ROWS))
def test_rows_of_published_sets(tmp_path: Path, format: str) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(ROWS[format]))
    pl.DataFrame([ROWS[format]]).write_parquet(tmp_path / "rows.parquet")
    for name in ("rows.jsonl", "rows.parquet"):
        found = read_target_set(UPath(tmp_path / name), name="t", format=format)
        assert found["text"].to_list() == [TEXTS[format]]
    assert found["id"].to_list() == [ROWS[format].get("id", "t:1")]


def test_a_template_may_replace_the_formats_own(tmp_path: Path) -> None:
    path = UPath(tmp_path / "rows.jsonl")
    path.write_text(json.dumps(ROWS["conversations"]))
    template = "[{system}] {prompt} -> {response}"
    found = read_target_set(path, name="t", format="conversations", template=template)
    assert found["text"][0] == "[Be brief.] 2 + 2? -> 4\n\n[Be brief.] And 3 + 3? -> 6"


@pytest.mark.parametrize(
    ("format", "row", "message"),
    [
        ("arc", {**ROWS["arc"], "answerKey": "Z"}, "answerKey is 'Z', which is none of"),
        ("arc", {"question": "x"}, r"KeyError: 'choices'.*expects question, choices: \{text"),
        ("hellaswag", {**ROWS["hellaswag"], "label": ""}, "label is '', expected 0 to 3"),
        ("hellaswag", {**ROWS["hellaswag"], "label": -1}, "label is -1, expected 0 to 3"),
        ("hellaswag", {**ROWS["hellaswag"], "label": "-1"}, "label is '-1', expected 0 to 3"),
        ("hellaswag", {**ROWS["hellaswag"], "label": 1.5}, "label is 1.5, expected 0 to 3"),
        ("hellaswag", {**ROWS["hellaswag"], "label": True}, "label is True, expected 0 to 3"),
        ("mmlu", {**ROWS["mmlu"], "answer": -1}, "answer is -1, expected 0 to 3"),
        ("mmlu", {**ROWS["mmlu"], "answer": 7}, "answer is 7, expected 0 to 3"),
        ("conversations", {"conversations": [{"from": "x", "value": "y"}]}, "a turn is from 'x'"),
        ("conversations", {"conversations": []}, "holds no response"),
    ],
)
def test_rows_that_do_not_fit_are_errors(
    tmp_path: Path, format: str, row: dict[str, Any], message: str
) -> None:
    path = UPath(tmp_path / "rows.jsonl")
    path.write_text(json.dumps(row))
    with pytest.raises(ValueError, match=rf"rows\.jsonl, row 1: .*{message}"):
        read_target_set(path, name="t", format=format)


def test_several_files_are_one_set(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.jsonl").write_text(
            '{"text": "' + name + '1"}\n{"text": "' + name + '2"}'
        )
    paths = [UPath(tmp_path / "a.jsonl"), UPath(tmp_path / "b.jsonl")]
    assert read_target_set(paths, name="t").select("id", "text").rows() == [
        ("t:1", "a1"), ("t:2", "a2"), ("t-1:1", "b1"), ("t-1:2", "b2"),
    ]  # fmt: skip


def _riddle(row: Row) -> list[Fields]:
    return [{"riddle": row["riddle"], "solution": row["solution"]}]


RIDDLES = TargetFormat(_riddle, "{riddle} It is {solution}.", "riddle, solution")


def test_a_format_is_a_module_and_a_line_of_the_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FORMATS, "riddles", f"{__name__}:RIDDLES")
    target = TargetSettings(name="t", path="riddles.jsonl", format="riddles")
    path = UPath(tmp_path / "riddles.jsonl")
    path.write_text('{"riddle": "Who speaks all languages?", "solution": "the echo"}')
    found = read_target_set(path, name=target.name, format=target.format)
    assert found["text"].to_list() == ["Who speaks all languages? It is the echo."]


def test_format_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(ValidationError, match="no target format 'ark'; there are: .*arc, mmlu"):
        TargetSettings(name="t", path="t.jsonl", format="ark")
