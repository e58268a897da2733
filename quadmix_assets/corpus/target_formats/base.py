"""What a target format is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
Fields = dict[str, Any]

QUESTION_AND_ANSWER = "Question: {question}\nAnswer: {answer}"


@dataclass(frozen=True)
class TargetFormat:
    """How the rows of a target set become text.

    Attributes:
        fields: turns a row into the template's fields, once for each piece of the text: a benchmark
            has one piece, a conversation one for each of its turns. The text of the row is all its
            pieces, each filled into the template, with a blank line between them. A row that does
            not fit makes it raise LookupError, AttributeError, TypeError or ValueError.
        template: the template of a piece; `targets[].template` takes its place where it is given.
        columns: what a row must hold, for messages.
    """

    fields: Callable[[Row], list[Fields]]
    template: str
    columns: str
