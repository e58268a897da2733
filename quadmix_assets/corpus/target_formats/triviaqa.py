"""TriviaQA: a question and the canonical form of its answer."""

from quadmix_assets.corpus.target_formats.base import (
    QUESTION_AND_ANSWER,
    Fields,
    Row,
    TargetFormat,
)


def _fields(row: Row) -> list[Fields]:
    return [{"question": row["question"], "answer": row["answer"]["value"]}]


FORMAT = TargetFormat(_fields, QUESTION_AND_ANSWER, "question, answer: {value}")
