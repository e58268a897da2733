"""JSON with sorted keys, for reading and for comparing; one long entry can have a line per item."""

import json
from collections.abc import Mapping
from typing import Any

import orjson

_PLACE = '"\\u0000"'


def json_text(value: Any, lines_of: str = "", *, allow_nan: bool = False) -> str:
    """JSON that is equal for equal values, indented, with a newline at its end.

    Args:
        value: to be written.
        lines_of: an entry of `value`, a list or an object, whose items get a line each, without
            spaces, which is much faster than lines for all that is in them; empty: none.
        allow_nan: whether numbers may be NaN or infinite, which other programs may not read.

    Raises:
        ValueError: a number is NaN or infinite, and may not be.
    """
    if not lines_of:
        return json.dumps(value, indent=2, sort_keys=True, allow_nan=allow_nan) + "\n"
    items = value[lines_of]
    text = json_text({**value, lines_of: "\0"}, allow_nan=allow_nan)
    if isinstance(items, Mapping):
        lines = [
            f"{json.dumps(key)}: {_line(item, allow_nan)}" for key, item in sorted(items.items())
        ]
        opened, closed = "{", "}"
    else:
        lines = [_line(item, allow_nan) for item in items]
        opened, closed = "[", "]"
    body = ",\n    ".join(lines)
    inner = f"{opened}\n    {body}\n  {closed}" if lines else f"{opened}{closed}"
    before, _, after = text.partition(f'\n  "{lines_of}": {_PLACE}')
    return f'{before}\n  "{lines_of}": {inner}{after}'


def _line(item: Any, allow_nan: bool) -> str:
    """A value in one line, the same for equal values."""
    try:
        line = orjson.dumps(item, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # It does not take all integers, keys and texts.
        pass
    else:
        # It writes null for numbers that are NaN or infinite.
        if b"null" not in line:
            return line.decode()
    return json.dumps(item, sort_keys=True, allow_nan=allow_nan, separators=(",", ":"))
