"""The type of target formats: how the rows of a published data set become text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
Fields = dict[str, Any]

QUESTION_AND_ANSWER = "Question: {question}\nAnswer: {answer}"


def chosen(options: Sequence[Any], position: object, name: str) -> Any:
    """The option at a position from 0, which data sets give as a number or its digits.

    Raises:
        ValueError: there is no option at this position; a negative one does not count from the end.
    """
    digits = str(position) if isinstance(position, str | int) else ""
    number = int(digits) if digits.isascii() and digits.isdecimal() else -1
    if not 0 <= number < len(options):
        raise ValueError(f"{name} is {position!r}, expected 0 to {len(options) - 1}")
    return options[number]


@dataclass(frozen=True)
class TargetFormat:
    """How the rows of a target set become text.

    Attributes:
        fields: turns a row into the template's fields, once for each piece of the text: a benchmark
            has one piece, a conversation one for each of its turns. The text of the row is all its
            pieces, each filled into the template, with a blank line between them. It raises
            LookupError, AttributeError, TypeError or ValueError for a row of another format.
        template: the template of a piece; `targets[].template` replaces it where it is given.
        columns: what a row must hold, for error messages.
        has_choices: whether the fields hold `choices`, one of which is the `answer`: proxies are
            then also asked which choice they find likeliest.
    """

    fields: Callable[[Row], list[Fields]]
    template: str
    columns: str
    has_choices: bool = False
