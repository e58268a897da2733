"""What differs between two states of an asset's settings, in words."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

_MAX_CHARACTERS = 60
# The entry of a list of named things, such as `targets[openhermes]` of `targets[openhermes].path`.
_ENTRY = re.compile(r"^[^\[]+\[[^\]]+\]")


def changed_settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The settings that differ, such as `mix.max_breakpoints: 20000 -> 500`.

    Args:
        before, after: values by path, as `settings_used` gives them.

    Returns:
        One line per setting, by path; a named entry that is new or gone has a single line.
    """
    new, gone = _entries(after) - _entries(before), _entries(before) - _entries(after)
    lines = {entry: f"{entry}: new" for entry in new}
    lines |= {entry: f"{entry}: gone" for entry in gone}
    for path in before.keys() | after.keys():
        if _entry(path) in lines:
            continue
        if path not in before:
            lines[path] = f"{path}: now {_in_words(after[path])}"
        elif path not in after:
            lines[path] = f"{path}: was {_in_words(before[path])}"
        elif before[path] != after[path]:
            lines[path] = f"{path}: {_difference(before[path], after[path])}"
    return [lines[path] for path in sorted(lines)]


def _entry(path: str) -> str | None:
    match = _ENTRY.match(path)
    return match.group() if match else None


def _entries(paths: Iterable[str]) -> set[str]:
    return {entry for path in paths if (entry := _entry(path)) is not None}


def _difference(before: Any, after: Any) -> str:
    if not (isinstance(before, list) and isinstance(after, list)):
        return f"{_in_words(before)} -> {_in_words(after)}"
    parts = [
        f"{verb} {', '.join(_in_words(value) for value in values)}"
        for verb, values in (
            ("without", [value for value in before if value not in after]),
            ("with", [value for value in after if value not in before]),
        )
        if values
    ]
    return " and ".join(parts) or "in another order"


def _in_words(value: Any) -> str:
    """A value as in YAML, cut if it is long."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _MAX_CHARACTERS else f"{text[: _MAX_CHARACTERS - 3]}..."
