"""Reads files of benchmark questions, of several choices or open."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from upath import UPath

from quadmix_assets.corpus.readers import RowError
from quadmix_assets.corpus.readers.jsonl import read_records
from quadmix_assets.corpus.readers.limits import MAX_TEXT_BYTES
from quadmix_assets.corpus.readers.values import describe
from quadmix_assets.corpus.target_formats.base import chosen
from quadmix_assets.hashing import hash_number

OPEN_TASKS = frozenset({"nq_open", "svamp", "triviaqa"})
"""Known tasks that ask open questions."""
CHOICE_TASKS = frozenset(
    {
        "arc_challenge",
        "arc_easy",
        "hellaswag",
        "mmlu",
        "mmlu_continuation",
        "openbookqa",
        "piqa",
    }
)
"""Known tasks whose questions have choices. Tasks of other names ask questions of either kind."""

_FEWEST = 2
_EXPECTED = (
    "expected an object with the keys question, choices and answer (the number of the right "
    "choice, from 0), or question and answers (what an open question accepts)"
)


@dataclass(frozen=True)
class Question:
    """A question of a benchmark.

    Attributes:
        text: the question.
        choices: what it lets choose from; empty where it is open.
        answer: the place of the right choice among them, from 0; None where it is open.
        answers: what an open question accepts, the usual one first; empty where it has choices.
        subject: its field, such as anatomy; empty where the file says none.
    """

    text: str
    choices: tuple[str, ...] = ()
    answer: int | None = None
    answers: tuple[str, ...] = ()
    subject: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the answer is to be written, and not chosen."""
        return not self.choices

    @property
    def key(self) -> tuple[int, str, tuple[str, ...]]:
        """Orders questions by a hash of their texts, the same in every file that holds them."""
        words = "\0".join((self.text, *self.choices))
        return hash_number(words.encode()), self.text, self.choices


def read_questions(path: UPath, *, task: str, n_shot: int = 0) -> list[Question]:
    """The questions of a file of JSON Lines, in its order.

    Args:
        path: the file, plain or compressed.
        task: name of the benchmark task.
        n_shot: how many of them serve as solved examples.

    Raises:
        FileNotFoundError: there is no such file.
        UnreadableShardError: it cannot be read.
        ValueError: a row is no question, or not of the kind that the task asks, or the file mixes
            open questions with those that have choices, or there are no more questions than solved
            examples; the message names the file, and the row where one is at fault.
    """
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: there is no such file. Put the questions of the task {task} there, or "
            "correct its path."
        )
    found: list[Question] = []
    is_open = True if task in OPEN_TASKS else False if task in CHOICE_TASKS else None
    for row, question in _rows(path):
        if is_open is None:
            is_open = question.is_open
        if question.is_open != is_open:
            words = ("has choices", "is open")
            asked = f"task {task}" if task in OPEN_TASKS | CHOICE_TASKS else "file's first one"
            raise _bad_row(
                path,
                row,
                f"the question {words[question.is_open]}, but the {asked} {words[is_open]}",
            )
        found.append(question)
    if not found:
        raise ValueError(f"{path}: the file of the task {task} holds no question; {_EXPECTED}.")
    if len(found) <= n_shot:
        raise ValueError(
            f"{path}: {len(found)} questions are too few for the task {task} with {n_shot} solved "
            f"examples. Lower its n_shot, or add questions."
        )
    return found


def _rows(path: UPath) -> Iterator[tuple[int, Question]]:
    for line, record in read_records(path, max_text_bytes=MAX_TEXT_BYTES):
        if isinstance(record, RowError):
            raise _bad_row(path, line.row, f"{record.reason}: {record.detail}")
        try:
            yield line.row, _question(record)
        except ValueError as error:
            raise _bad_row(path, line.row, str(error)) from error


def _question(record: dict[str, Any]) -> Question:
    subject = record.get("subject") or ""
    if "question" not in record or not ("choices" in record or "answers" in record):
        raise ValueError(f"the row has the keys {', '.join(record)}; {_EXPECTED}")
    text = record["question"]
    for name, value in (("question", text), ("subject", subject)):
        if not isinstance(value, str):
            raise ValueError(f"{name} is {describe(value)}, expected a string")
    if not text.strip():
        raise ValueError("question is empty")
    if "choices" not in record:
        answers = tuple(filter(str.strip, _texts(record["answers"], "answers")))
        if not answers:
            raise ValueError("answers holds empty strings alone")
        return Question(text, answers=answers, subject=subject)
    choices = _texts(record["choices"], "choices")
    if len(choices) < _FEWEST or not all(map(str.strip, choices)):
        raise ValueError("choices holds an empty string, or only one, expected at least two")
    if "answer" not in record:
        raise ValueError(f"the row has choices but no answer; {_EXPECTED}")
    answer = int(chosen(range(len(choices)), record["answer"], "answer"))
    return Question(text, choices, answer, subject=subject)


def _texts(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        what = "an empty list" if value == [] else describe(value)
        raise ValueError(f"{name} is {what}, expected a list of strings")
    for place, each in enumerate(value):
        if not isinstance(each, str):
            raise ValueError(f"{name}[{place}] is {describe(each)}, expected a string")
    return tuple(value)


def _bad_row(path: UPath, row: int, problem: str) -> ValueError:
    return ValueError(
        f"{path}, row {row}: {problem}. Correct or delete the row: every question of a task counts."
    )
