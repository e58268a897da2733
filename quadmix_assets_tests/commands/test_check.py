"""What `quadmix check` says of inputs that are all there."""

from pathlib import Path
from typing import Any

import pytest

from quadmix_assets.commands.check import check, checkpoint_problems
from quadmix_assets.settings import load_settings
from quadmix_assets.store import Store
from quadmix_assets_tests.conftest import write_profile
from quadmix_assets_tests.lakes import write_lines


def checked(folder: Path, **changes: Any) -> str:
    settings = load_settings(write_profile(folder, **changes))
    return check(settings, Store(settings.resolve(settings.lake)))


def files_of(folder: Path, rows: list[dict[str, Any]], **corpus: Any) -> dict[str, Any]:
    write_lines(folder / "raw" / "one.jsonl", rows)
    write_lines(folder / "target.jsonl", [{"text": "Good words."}, {"text": "Better words."}])
    return {
        "corpus": {
            "source": "files",
            "raw": "raw",
            "carried_columns": {"topic": "string"},
            **corpus,
        },
        "targets": [{"name": "planted", "path": "target.jsonl"}],
        "features": {"domains": {"kind": "column", "column": "topic", "names": ["a", "b", "c"]}},
    }


def row_of(text: str, start: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.strip().startswith(start)]
    return line.split()


def test_a_person_sees_what_is_used_and_that_it_is_right(tmp_path: Path) -> None:
    rows = [{"text": "x" * 400, "topic": "a" if n else "b", "doc": f"d{n}"} for n in range(10)]
    text = checked(tmp_path, **files_of(tmp_path, rows, id_column="doc"))
    assert "documents   about 10 in all, with 0.0 MB of text; about 1k tokens" in text
    assert row_of(text, "corpus.id_column") == ["corpus.id_column", "doc", "1", "10", "d0"]
    assert "absent: the source is the shard's key" in text
    assert row_of(text, "features.domains.column")[1:] == ["topic", "1", "10", "b"]
    assert row_of(text, "a ") == ["a", "9", "90.0%"]
    assert row_of(text, "not seen") == ["not", "seen:", "c"]
    assert row_of(text, "planted ") == ["planted", "2", "about", "6", "tokens", "Good", "words."]
    assert row_of(text, "heuristics") == ["heuristics", "heuristics"]
    assert text.endswith("\n\nall inputs are there\n")


def test_warnings_come_last(tmp_path: Path) -> None:
    changes = files_of(tmp_path, [{"text": "words", "topic": "a"}])
    (tmp_path / "raw" / "broken.parquet").write_bytes(b"no parquet")
    (tmp_path / "raw" / "notes.txt").write_text("x")
    text = checked(tmp_path, **changes)
    assert "ignored     1 files that match no pattern, for example notes.txt" in text
    assert "warning: 1 of the inspected shards cannot be read" in text.split("\n\n")[-1]
    assert "broken.parquet" in text


@pytest.mark.parametrize("there", [True, False])
def test_local_copies_of_checkpoints(tmp_path: Path, there: bool) -> None:
    copy = tmp_path / "models" / "nvidia" / "domain-classifier"
    copy.mkdir(parents=True)
    if there:
        (copy / "config.json").write_text("{}")
    features = {"domains": {"kind": "nvidia"}, "inference": {"checkpoints": "models"}}
    problems = checkpoint_problems(load_settings(write_profile(tmp_path, features=features)))
    if there:
        assert problems == []
    else:
        (problem,) = problems
        assert problem.startswith(f"features.domains.model: {copy}: expected the files")


def test_models_of_the_hub_are_not_asked_for(tmp_path: Path) -> None:
    features = {"criteria": [{"kind": "fineweb_edu"}, {"kind": "dclm"}]}
    assert checkpoint_problems(load_settings(write_profile(tmp_path, features=features))) == []


def test_a_person_sees_the_questions_of_tasks(tmp_path: Path) -> None:
    profile = files_of(tmp_path, [{"text": "Words.", "topic": name} for name in "abc"])
    row = {"question": "Who wrote Emma?", "answers": ["Jane Austen"]}
    write_lines(tmp_path / "questions.jsonl", [row] * 3)
    tasks = [{"name": "nq_open", "path": "questions.jsonl"}, {"name": "piqa"}]
    text = checked(tmp_path, **profile, evidence={"enabled": True, "tasks": tasks})
    assert row_of(text, "nq_open") == ["nq_open", "knowledge", "3", "open", "Who", "wrote", "Emma?"]
    assert row_of(text, "piqa")[:3] == ["piqa", "commonsense", "of"]
