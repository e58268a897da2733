"""A harness with small tasks of its own, and one thread for all tests of tasks."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lm_eval.tasks import TaskManager

from quadmix_assets.device import torch_threads
from quadmix_assets_tests.lakes import write_lines

N_QUESTIONS = {"first": 12, "second": 4}


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Several threads wait for each other at every small operation, for long on a busy machine."""
    with torch_threads(1):
        yield


@pytest.fixture
def harness(tmp_path: Path) -> TaskManager:
    """Knows the tasks first and second, their group both, pronouns, and absent without data.

    The questions of pronouns have their choices before the answer, as those of Winogrande.
    """
    for name, n in N_QUESTIONS.items():
        rows: list[dict[str, Any]] = [
            {"question": f"{name} {k}?", "choices": ["a", "b"], "right": "b"} for k in range(n)
        ]
        _write(tmp_path, name, rows, doc_to_text="{{question}}", doc_to_target="right")
    choices: list[Any] = ["The plum", "The stone"]
    rows = [{"choices": choices, "right": 1, "end": "is a fruit."}] * 3
    _write(tmp_path, "pronouns", rows, doc_to_text="right", doc_to_target="end")
    _write(tmp_path, "absent", [], dataset_path="nobody/nothing")
    group = {"group": "both", "task": list(N_QUESTIONS)}
    (tmp_path / "both.yaml").write_text(json.dumps(group))
    return TaskManager(include_path=tmp_path, include_defaults=False)


def _write(folder: Path, name: str, rows: list[dict[str, Any]], **changes: str) -> None:
    file = folder / f"{name}_questions.jsonl"
    write_lines(file, rows)
    config = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(file)}, "cache_dir": str(folder / "cache")},
        "output_type": "multiple_choice",
        "test_split": "test",
        "doc_to_choice": "choices",
    }
    (folder / f"{name}.yaml").write_text(json.dumps(config | changes))
