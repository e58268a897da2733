"""The rows of well-known target sets, as their hubs publish them, brought to question and answer.

A format turns a row into the fields of a template: a benchmark's question and its right answer, or
prompt and response of every turn of a conversation. The paper's targets are OpenHermes 2.5 and the
training sets of HellaSwag, ARC, MMLU and TriviaQA (QuaDMix, section 4.1).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
Fields = dict[str, Any]


@dataclass(frozen=True)
class TargetFormat:
    """How the rows of a target set are read.

    Attributes:
        fields: a row -> the fields of each of its pieces; a text is the pieces, each filled into
            the template, with a blank line between them.
        template: used where the settings give none.
        columns: what the rows must hold, for messages.
    """

    fields: Callable[[Row], list[Fields]]
    template: str
    columns: str


def _conversation(row: Row) -> list[Fields]:
    """Prompt and response of every turn; what a system message says stands in each of them."""
    pieces: list[Fields] = []
    system, prompt = "", None
    for turn in row["conversations"]:
        who = turn.get("from", turn.get("role"))
        value = turn.get("value", turn.get("content"))
        if who == "system":
            system = value
        elif who in ("human", "user"):
            prompt = value
        elif who in ("gpt", "assistant"):
            pieces.append({"system": system, "prompt": prompt or "", "response": value})
            prompt = None
        else:
            raise ValueError(
                f"a turn is from {who!r}; expected system, human or user, gpt or assistant"
            )
    if not pieces:
        raise ValueError("the conversation holds no response")
    return pieces


def _hellaswag(row: Row) -> list[Fields]:
    endings = row["endings"]
    return [{"question": row["ctx"], "choices": endings, "answer": endings[int(row["label"])]}]


def _arc(row: Row) -> list[Fields]:
    choices = row["choices"]
    texts, labels = list(choices["text"]), list(choices["label"])
    if row["answerKey"] not in labels:
        raise ValueError(f"answerKey is {row['answerKey']!r}, which is none of {labels}")
    answer = texts[labels.index(row["answerKey"])]
    return [{"question": row["question"], "choices": texts, "answer": answer}]


def _mmlu(row: Row) -> list[Fields]:
    choices = row["choices"]
    answer = choices[int(row["answer"])]
    return [{"question": row["question"], "choices": choices, "answer": answer}]


def _triviaqa(row: Row) -> list[Fields]:
    return [{"question": row["question"], "answer": row["answer"]["value"]}]


_QUESTION_AND_ANSWER = "Question: {question}\nAnswer: {answer}"

FORMATS: dict[str, TargetFormat] = {
    "conversations": TargetFormat(
        _conversation, "{prompt}\n\n{response}", "conversations: a list of {from, value}"
    ),
    "hellaswag": TargetFormat(_hellaswag, "{question} {answer}", "ctx, endings, label"),
    "arc": TargetFormat(_arc, _QUESTION_AND_ANSWER, "question, choices: {text, label}, answerKey"),
    "mmlu": TargetFormat(_mmlu, _QUESTION_AND_ANSWER, "question, choices, answer (0-based)"),
    "triviaqa": TargetFormat(_triviaqa, _QUESTION_AND_ANSWER, "question, answer: {value}"),
}
