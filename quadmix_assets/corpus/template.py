"""Templates of target texts: words with the columns of a row in braces.

Less than `str.format` on purpose, since rows come from anywhere: a field is a column, a field of an
object in it or an entry of a list, and never an attribute of a Python value or a format.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_FIELD = re.compile(r"(?P<column>[^.\[\]]+)(?P<steps>(\.[^.\[\]]+|\[[^\[\]]+\])*)")
_STEP = re.compile(r"\.([^.\[\]]+)|\[([^\[\]]+)\]")
_SHOWN = (str, int, float, bool, Decimal, date, datetime, time, Mapping, Sequence)

Span = tuple[int, int]
"""A part of a text: its first character, and the one after its last."""


@dataclass(frozen=True)
class Field:
    """A place in a row.

    Attributes:
        name: as it stands in the braces; a column of this very name comes first.
        steps: the column, then fields of objects and numbers in lists.
    """

    name: str
    steps: tuple[str, ...]


@dataclass(frozen=True)
class FilledTemplate:
    """The text of a row.

    Attributes:
        text: the text.
        words: where in it the template's own words stand.
        fields: where the value of each field stands, by name; the last place of one used twice.
    """

    text: str
    words: tuple[Span, ...]
    fields: Mapping[str, Span]


@dataclass(frozen=True)
class Template:
    """Literal parts and fields, in order; `text` is what they were read from."""

    text: str
    parts: tuple[str | Field, ...]

    def fill(self, row: Mapping[str, Any]) -> FilledTemplate:
        """The text of a row, and what of it comes from the template.

        Raises:
            LookupError: the row has no such column, field or entry.
            ValueError: a value is null, or bytes.
        """
        pieces: list[str] = []
        words: list[Span] = []
        fields: dict[str, Span] = {}
        end = 0
        for part in self.parts:
            pieces.append(part if isinstance(part, str) else _shown(row, part))
            start, end = end, end + len(pieces[-1])
            if isinstance(part, str):
                words.append((start, end))
            else:
                fields[part.name] = (start, end)
        return FilledTemplate("".join(pieces), tuple(words), fields)


def parse_template(text: str) -> Template:
    """The template that `text` says.

    Raises:
        ValueError: a brace stands alone, what is in braces is no field, or there is no field.
    """
    parts: list[str | Field] = []
    end = 0
    for found in _BRACES.finditer(text):
        parts.append(text[end : found.start()])
        end = found.end()
        if found[0] in ("{{", "}}"):
            parts.append(found[0][0])
        elif found[0] in ("{", "}"):
            raise ValueError(f"{text!r} is malformed: a brace stands alone (write two for one)")
        else:
            parts.append(_field(text, found[1]))
    parts.append(text[end:])
    if not any(isinstance(part, Field) for part in parts):
        raise ValueError(
            f"{text!r} names no column; write them in braces, as in '{{prompt}}\\n\\n{{response}}'"
        )
    return Template(text, tuple(part for part in parts if part != ""))


def _field(text: str, name: str) -> Field:
    found = _FIELD.fullmatch(name)
    if found is None or "!" in name or ":" in name:
        raise ValueError(
            f"{text!r} is malformed: {{{name}}} is no column. Write {{column}}, {{column.field}} "
            "or {column[0]}; conversions and formats (! and :) are not known"
        )
    steps = (step[1] or step[2] for step in _STEP.finditer(found["steps"]))
    return Field(name, (found["column"], *steps))


def _shown(row: Mapping[str, Any], field: Field) -> str:
    value: Any = row
    if field.name in row:
        value = row[field.name]
    else:
        for step in field.steps:
            value = _entry(value, step)
    if value is None:
        raise ValueError("a column that the template needs is null")
    if isinstance(value, bytes):
        raise ValueError(f"{{{field.name}}} is bytes, expected text")
    if isinstance(value, _SHOWN):
        return str(value)
    raise ValueError(f"{{{field.name}}} is a {type(value).__name__}, expected text")


def _entry(value: Any, step: str) -> Any:
    if isinstance(value, Mapping):
        return value[step]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if not step.isdecimal():
            raise LookupError(f"a list has no {step!r}, only entries by number from 0")
        return value[int(step)]
    raise LookupError(f"there is no {step!r} in {value!r:.60}")
