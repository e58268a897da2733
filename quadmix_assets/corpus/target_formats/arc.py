"""ARC: a question and the right one of its choices, which is named by its label."""

from quadmix_assets.corpus.target_formats.base import (
    QUESTION_AND_ANSWER,
    Fields,
    Row,
    TargetFormat,
)


def _fields(row: Row) -> list[Fields]:
    choices = row["choices"]
    texts, labels = list(choices["text"]), list(choices["label"])
    if row["answerKey"] not in labels:
        raise ValueError(f"answerKey is {row['answerKey']!r}, which is none of {labels}")
    answer = texts[labels.index(row["answerKey"])]
    return [{"question": row["question"], "choices": texts, "answer": answer}]


FORMAT = TargetFormat(
    _fields, QUESTION_AND_ANSWER, "question, choices: {text, label}, answerKey", has_choices=True
)
