"""Convert one value to an id or to the type of a carried column; the same for all formats."""

from decimal import Decimal
from typing import Any

import pyarrow as pa

from quadmix_assets.corpus.readers.errors import Reason, RowError

CARRIED_TYPES = {
    "string": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
}
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
# Above this a float no longer holds every whole number, and two ids could become one.
_MAX_EXACT_FLOAT = 2**53


def describe(value: object) -> str:
    """The kind of a value in words, as in "the text is a number"."""
    kinds: list[tuple[type | tuple[type, ...], str]] = [
        (bool, "true or false"),
        ((int, float, Decimal), "a number"),
        (str, "a string"),
        (bytes, "bytes"),
        (list, "a list"),
        (dict, "an object"),
    ]
    if value is None:
        return "null"
    return next((name for kind, name in kinds if isinstance(value, kind)), type(value).__name__)


def id_of(value: Any) -> str | None:
    """The id as a string, None where there is none (null or NaN).

    Whole numbers become decimal strings.

    Raises:
        RowError: `bad_id`, for other types, empty strings, and floats that are not whole numbers or
            too large to be exact.
    """
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            raise RowError(Reason.BAD_ID, "the id is not valid UTF-8") from None
    if isinstance(value, str):
        if not value.strip():
            raise RowError(Reason.BAD_ID, "the id is an empty string")
        return value
    if value is None or (isinstance(value, float) and value != value):  # NaN: pandas' null
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float | Decimal):
        if value == value // 1 and (isinstance(value, Decimal) or abs(value) < _MAX_EXACT_FLOAT):
            return str(int(value))
        raise RowError(
            Reason.BAD_ID, f"the id {value!r} is not an exact whole number; write ids as strings"
        )
    raise RowError(Reason.BAD_ID, f"the id is {describe(value)}, expected a string or an integer")


def carried_value(value: Any, kind: str, column: str) -> Any:
    """`value` as `kind` (string, int, float or bool); None stays None.

    Numbers and true/false become strings as JSON writes them; strings that spell a number or
    true/false are read.

    Raises:
        RowError: `bad_carried_value`, for anything else.
    """
    if value is None:
        return None
    try:
        converted = _CONVERTERS[kind](value)
    except (ValueError, TypeError, OverflowError, ArithmeticError):
        raise RowError(
            Reason.BAD_CARRIED_VALUE,
            f"column {column!r}: expected {kind}, got {describe(value)} ({repr(value)[:60]})",
        ) from None
    return converted


def _to_string(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str | int | float | Decimal):
        return str(value)
    raise TypeError


def _to_int(value: Any) -> int:
    if isinstance(value, bool | bytes):
        raise TypeError
    number = int(value)
    if not isinstance(value, str) and number != value:
        raise ValueError
    if not -(2**63) <= number < 2**63:
        raise OverflowError
    return number


def _to_float(value: Any) -> float:
    if isinstance(value, bool | bytes):
        raise TypeError
    return float(value)


def _to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word not in _BOOLEANS:
        raise ValueError
    return _BOOLEANS[word]


_CONVERTERS = {"string": _to_string, "int": _to_int, "float": _to_float, "bool": _to_bool}
