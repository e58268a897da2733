"""MMLU: a question and the right one of its choices, which is named by its position."""

from quadmix_assets.corpus.target_formats.base import (
    QUESTION_AND_ANSWER,
    Fields,
    Row,
    TargetFormat,
    chosen,
)


def _fields(row: Row) -> list[Fields]:
    choices = row["choices"]
    answer = chosen(choices, row["answer"], "answer")
    return [{"question": row["question"], "choices": choices, "answer": answer}]


FORMAT = TargetFormat(
    _fields, QUESTION_AND_ANSWER, "question, choices, answer (0-based)", has_choices=True
)
