"""Asks language models of mixes the questions of benchmark tasks."""

import contextlib
import io
import logging
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import polars as pl
from upath import UPath

from quadmix_assets.evidence.language_model import StoredModel
from quadmix_assets.evidence.results import LANGUAGE_MODEL, TASK, results_frame
from quadmix_assets.evidence.tasks.scores import choice_scores, open_scores
from quadmix_assets.settings import TaskSettings
from quadmix_assets.store import Store

if TYPE_CHECKING:
    from lm_eval.api.task import Task

    from quadmix_assets.evidence.tasks.harness_model import HarnessModel
    from quadmix_assets.evidence.tasks.harness_tasks import HarnessTask

_LOGGER = logging.getLogger(__name__)
_NOISY = ("lm_eval", "datasets", "transformers")


def run_tasks(
    store: Store,
    models: Sequence[StoredModel],
    tasks: Sequence[TaskSettings],
    files: Mapping[str, UPath],
    *,
    max_questions: int | None,
    device: str,
    batch_size: int | None = None,
) -> pl.DataFrame:
    """What models reach on benchmark tasks, by lm-evaluation-harness.

    Texts longer than a model's context lose their beginning; questions with a choice that alone is
    longer are left out.

    Args:
        store: where the models lie.
        models: those to ask.
        tasks: what to ask.
        files: of each task with a path, the file of its questions.
        max_questions: the most questions of a task, the first by a hash of their texts; None: all.
        device: where the models run, as PyTorch names it.
        batch_size: texts per forward pass; None: as many as fit.

    Returns:
        Rows of RESULTS_SCHEMA, of kind `task`: model by model, task by task.

    Raises:
        FileNotFoundError: the file of a task is not there.
        ValueError: a file or one of its questions cannot be used, or a task without a file cannot
            be had from the harness; the message names it.
        MissingOutputError, DamagedOutputError: a model is not there, or not what was written.
    """
    if not models or not tasks:
        return results_frame([])
    # Imported late: the harness takes seconds, and most runs ask no task.
    from quadmix_assets.evidence.tasks.harness_model import HarnessModel

    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary, _quiet():
        asked = _harness_tasks(tasks, files, Path(temporary), max_questions)
        for model in models:
            with store.local_folder(model.folder) as folder:
                asker = HarnessModel(folder, device=device, batch_size=batch_size)
            key = {
                "mix": model.mix,
                "model": LANGUAGE_MODEL,
                "budget": model.budget,
                "seed": model.seed,
                "kind": TASK,
            }
            for task in asked:
                start = time.monotonic()
                rows += [key | {"set": task.name} | row for row in _scores(asker, task)]
                _LOGGER.info(
                    "%s: model %d of %s tokens has answered %s, in %.0f s",
                    model.mix,
                    model.seed,
                    f"{model.budget:,}",
                    task.name,
                    time.monotonic() - start,
                )
    return results_frame(rows)


def _harness_tasks(
    tasks: Sequence[TaskSettings],
    files: Mapping[str, UPath],
    folder: Path,
    max_questions: int | None,
) -> list["HarnessTask"]:
    from quadmix_assets.evidence.tasks import harness_tasks

    own = None
    if any(task.name not in files for task in tasks):
        own = harness_tasks.all_harness_tasks()
    return [
        harness_tasks.local_task(task, files[task.name], folder, max_questions=max_questions)
        if own is None or task.name in files
        else harness_tasks.harness_task(task, own, max_questions=max_questions)
        for task in tasks
    ]


def _scores(asker: "HarnessModel", task: "HarnessTask") -> list[dict[str, Any]]:
    """The rows of a task, without their keys."""
    from lm_eval.evaluator import evaluate

    found = cast(
        dict[str, Any],
        evaluate(
            asker,
            {"tasks": task.parts},
            samples=task.samples or None,
            bootstrap_iters=0,
            log_samples=True,
        ),
    )
    chosen, right, written = [], [], []
    for name, part in task.parts.items():
        samples = found["samples"][name]
        # Some tasks read an answer in several ways; the first is the one that they report.
        samples = [each for each in samples if each["filter"] == samples[0]["filter"]]
        samples.sort(key=lambda each: each["doc_id"])
        if part.OUTPUT_TYPE == "multiple_choice":
            chosen += samples
            right += [_right_choice(part, each) for each in samples]
        else:
            written += samples
    rows = choice_scores(chosen, right) if chosen else []
    return rows + (open_scores(written, asker.answer_nats) if written else [])


def _right_choice(part: "Task", sample: Mapping[str, Any]) -> int:
    answer = part.doc_to_text(sample["doc"]) if part.multiple_input else sample["target"]
    if isinstance(answer, list):
        answer = answer[0]
    return int(
        part.doc_to_choice(sample["doc"]).index(answer) if isinstance(answer, str) else answer
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the progress bars and warnings of the harness, of which there is one per question."""
    loggers = [logging.getLogger(name) for name in _NOISY]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
