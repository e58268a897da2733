"""One document of a target set, with what of its text is template and what could be chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quadmix_assets.corpus.template import FilledTemplate, Span, Template

# The fields that formats of multiple-choice sets give (see `target_formats`).
_ANSWER, _CHOICES = "answer", "choices"
_BETWEEN_PIECES = "\n\n"


@dataclass(frozen=True)
class Choice:
    """The document's text with one of the choices as its answer.

    Attributes:
        text: the text.
        start, stop: where the choice stands in it, in characters.
        is_right: whether it is the right choice.
    """

    text: str
    start: int
    stop: int
    is_right: bool


@dataclass(frozen=True)
class TargetDocument:
    """One document of a target set.

    Attributes:
        id: its id.
        text: its text.
        template: the parts of the text that are words of a template and not of the row.
        choices: all the choices of a multiple-choice question; empty where it is none.
    """

    id: str
    text: str
    template: tuple[Span, ...] = ()
    choices: tuple[Choice, ...] = ()


def joined(pieces: Sequence[FilledTemplate]) -> tuple[str, tuple[Span, ...]]:
    """The pieces of a document with a blank line between them, and what of it is template."""
    text, template = "", []
    for number, piece in enumerate(pieces):
        if number:
            template.append((len(text), len(text) + len(_BETWEEN_PIECES)))
            text += _BETWEEN_PIECES
        template += [(len(text) + start, len(text) + stop) for start, stop in piece.words]
        text += piece.text
    return text, tuple(template)


def choices_of(template: Template, fields: Mapping[str, Any]) -> tuple[Choice, ...]:
    """The text with each of the choices in place of the answer; empty where there are none.

    Choices that read the same count once, and one choice alone is none.

    Args:
        template: of the text.
        fields: of a target format, with `choices` and the right one as `answer`; or any others.

    Raises:
        ValueError: a choice is null, or bytes.
    """
    if _CHOICES not in fields or _ANSWER not in fields:
        return ()
    found = []
    for choice in dict.fromkeys(fields[_CHOICES]):
        filled = template.fill({**fields, _ANSWER: choice})
        if _ANSWER not in filled.fields:
            return ()
        found.append(Choice(filled.text, *filled.fields[_ANSWER], choice == fields[_ANSWER]))
    return tuple(found) if len(found) > 1 else ()
