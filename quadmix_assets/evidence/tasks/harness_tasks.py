"""Makes tasks of lm-evaluation-harness: of files of questions, or those that it has itself.

Importing this module takes seconds, so it is imported where tasks are run and not before.
"""

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
from lm_eval.api.task import Task
from lm_eval.tasks import TaskManager
from upath import UPath

from quadmix_assets.corpus.question_files import Question, read_questions
from quadmix_assets.hashing import hash_number
from quadmix_assets.settings import TaskSettings

_FOLDER = Path(__file__).parent / "local"
_CHOICES, _OPEN = "multiple_choice", "open_questions"
_N_NEAR = 3


@dataclass(frozen=True)
class HarnessTask:
    """A benchmark task as the harness asks it.

    Attributes:
        name: of the settings.
        parts: the harness's tasks by their names; several where a task is a group of the harness.
        samples: of each part the numbers of the questions to ask; none are listed where all are.
    """

    name: str
    parts: dict[str, Task]
    samples: dict[str, list[int]]


def local_task(
    task: TaskSettings, path: UPath, folder: Path, *, max_questions: int | None
) -> HarnessTask:
    """The task of a file of questions.

    The harness reads a copy of them, so that only the keys that it needs are there, and all of one
    type. The first `n_shot` questions by a hash of their texts are the solved examples before all
    others, and are not asked.

    Args:
        task: its settings.
        path: the file.
        folder: where the copy and the harness's cache of it are put.
        max_questions: the most that are asked; None: all.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, or a row is no question of the kind that the task asks, or
            there are no more questions than solved examples.
    """
    questions = read_questions(path, task=task.name, n_shot=task.n_shot)
    questions.sort(key=lambda each: each.key)
    manager = TaskManager(include_path=_FOLDER, include_defaults=False)
    known = manager.task_index
    kind = _OPEN if questions[0].is_open else _CHOICES
    config = dict(known[task.name if task.name in known else kind].cfg or {})
    examples, asked = questions[: task.n_shot], questions[task.n_shot :][:max_questions]
    own = folder / task.name
    own.mkdir()
    files = {"test": own / "test.jsonl", "examples": own / "examples.jsonl"}
    _write(files["test"], asked)
    # The harness looks at the examples even where it shows none.
    _write(files["examples"], examples or asked[:1])
    config |= {
        "task": task.name,
        "dataset_kwargs": {
            "data_files": {split: str(file) for split, file in files.items()},
            "cache_dir": str(folder / "cache"),
        },
    }
    return HarnessTask(task.name, _prepared(manager, [config], task.n_shot), {})


def harness_task(
    task: TaskSettings, manager: TaskManager, *, max_questions: int | None
) -> HarnessTask:
    """A task that the harness has itself; its data set comes from the hub, or from its cache.

    Args:
        task: its settings.
        manager: knows the harness's tasks.
        max_questions: the most that are asked, the first by a hash of their content; None: all.

    Raises:
        ValueError: the harness has no such task, or its data set cannot be had.
    """
    if task.name not in manager.all_tasks:
        near = difflib.get_close_matches(task.name, manager.all_tasks, n=_N_NEAR)
        hint = f" (it has {', '.join(near)})" if near else ""
        raise ValueError(
            f"tasks[{task.name}]: lm-evaluation-harness has no task of this name{hint}. Correct "
            "the name, or set path to a file of its questions."
        )
    try:
        parts = _prepared(manager, [task.name], task.n_shot)
    # What loads data sets from the hub raises many classes of errors, down to those of sockets.
    except Exception as error:
        raise ValueError(
            f"tasks[{task.name}]: lm-evaluation-harness could not load its data set "
            f"({type(error).__name__}: {error}). Without a path it reads it from the hub, or from "
            "what was cached of it under HF_HOME: connect to the network, fill the cache, or set "
            "path to a file of the questions."
        ) from error
    return HarnessTask(task.name, *_first_by_hash(parts, max_questions))


def all_harness_tasks() -> TaskManager:
    """Knows the tasks that the harness has itself; reading their files takes some seconds."""
    return TaskManager()


def _write(file: Path, questions: Sequence[Question]) -> None:
    rows = [
        {"question": each.text, "subject": each.subject}
        | (
            {"answers": each.answers}
            if each.is_open
            else {"choices": each.choices, "answer": each.answer}
        )
        for each in questions
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _prepared(manager: TaskManager, wanted: list[Any], n_shot: int) -> dict[str, Task]:
    datasets.disable_progress_bars()
    parts: dict[str, Task] = manager.load(wanted)["tasks"]
    for part in parts.values():
        part.set_config("num_fewshot", n_shot)
        part.set_fewshot_seed(0)
    return parts


def _first_by_hash(
    parts: dict[str, Task], max_questions: int | None
) -> tuple[dict[str, Task], dict[str, list[int]]]:
    if max_questions is None:
        return parts, {}
    keys = sorted(
        (hash_number(json.dumps(document, sort_keys=True, default=str).encode()), name, number)
        for name, part in parts.items()
        for number, document in enumerate(part.eval_docs)
    )[:max_questions]
    samples: dict[str, list[int]] = {}
    for _, name, number in keys:
        samples.setdefault(name, []).append(number)
    return (
        {name: part for name, part in parts.items() if name in samples},
        {name: sorted(numbers) for name, numbers in samples.items()},
    )
