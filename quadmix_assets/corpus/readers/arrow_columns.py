"""Convert a Parquet column to text, ids or a carried type, and report values that do not fit.

Every converting function returns the converted array, with null where a value is null or does not
fit, and a dict from the index of each value that does not fit to its RowError. A column without
such values is converted by Arrow alone, which is much faster than through Python values.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from quadmix_assets.corpus.readers.errors import Reason, RowError
from quadmix_assets.corpus.readers.values import CARRIED_TYPES, carried_value, id_of

Converted = tuple[pa.Array, dict[int, RowError]]


def is_text_type(type_: pa.DataType) -> bool:
    """Whether a column of this type can hold text: strings or bytes, dictionary-encoded or not."""
    if isinstance(type_, pa.DictionaryType):
        return is_text_type(type_.value_type)
    if isinstance(type_, pa.BaseExtensionType):
        return is_text_type(type_.storage_type)
    return (
        _is_string(type_)
        or pa.types.is_binary(type_)
        or pa.types.is_large_binary(type_)
        or pa.types.is_binary_view(type_)
        or pa.types.is_fixed_size_binary(type_)
        or pa.types.is_null(type_)
    )


def text_column(array: pa.Array) -> Converted:
    """A column for which `is_text_type` holds, as large_string; nulls do not fit."""
    texts, wrong = _decode(_plain(array), Reason.INVALID_UTF8, "the text")
    if texts.null_count > len(wrong):
        nulls = pc.indices_nonzero(pc.is_null(texts)).to_pylist()
        error = RowError(Reason.WRONG_TYPE, "the text is null, expected a string")
        wrong = dict.fromkeys(nulls, error) | wrong
    return texts, wrong


def id_column(array: pa.Array) -> Converted:
    """Ids as strings, null where there is none; see `values.id_of`."""
    array = _plain(array)
    if pa.types.is_integer(array.type) or pa.types.is_null(array.type):
        return array.cast(pa.string()), {}
    if is_text_type(array.type):
        ids, wrong = _decode(array, Reason.BAD_ID, "the id")
        empty = pc.equal(pc.utf8_trim_whitespace(ids), "").fill_null(False)
        if not pc.any(empty).as_py():
            return ids.cast(pa.string()), wrong
    return _one_by_one(array, pa.string(), id_of, Reason.BAD_ID)


def carried_column(array: pa.Array, kind: str, name: str) -> Converted:
    """A column as `kind`: string, int, float or bool; see `values.carried_value`."""
    array = _plain(array)
    wanted = CARRIED_TYPES[kind]
    if _casts_alike(array.type, wanted):
        # Through bytes, because a cast between string types does not validate UTF-8.
        source = array.cast(pa.large_binary()) if _is_string(array.type) else array
        # If a value is invalid UTF-8 or too large an integer, the rows are found one by one below.
        with suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return source.cast(wanted), {}
    return _one_by_one(
        array, wanted, lambda value: carried_value(value, kind, name), Reason.BAD_CARRIED_VALUE
    )


def _is_string(type_: pa.DataType) -> bool:
    return (
        pa.types.is_string(type_)
        or pa.types.is_large_string(type_)
        or pa.types.is_string_view(type_)
    )


def _casts_alike(given: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether Arrow's cast gives what `carried_value` would."""
    if pa.types.is_null(given):
        return True
    if pa.types.is_string(wanted):
        return _is_string(given) or bool(pa.types.is_temporal(given))
    if pa.types.is_floating(wanted):
        return pa.types.is_floating(given) or pa.types.is_integer(given)
    if pa.types.is_integer(wanted):
        return bool(pa.types.is_integer(given))
    return bool(pa.types.is_boolean(given))


def without_dictionary(array: pa.Array) -> pa.Array:
    """The values themselves, where a column holds positions in a dictionary."""
    if isinstance(array.type, pa.DictionaryType):
        return array.dictionary_decode()
    return array


def _plain(array: pa.Array) -> pa.Array:
    """The values themselves, without dictionary or extension type."""
    return without_dictionary(array.storage if isinstance(array, pa.ExtensionArray) else array)


def _decode(array: pa.Array, reason: Reason, name: str) -> Converted:
    if pa.types.is_null(array.type):
        return array.cast(pa.large_string()), {}
    encoded = array.cast(pa.large_binary())
    try:
        return encoded.cast(pa.large_string()), {}
    except pa.ArrowInvalid:  # some value is not UTF-8
        wrong: dict[int, RowError] = {}
        texts: list[str | None] = []
        for index, value in enumerate(encoded.to_pylist()):
            try:
                texts.append(None if value is None else value.decode())
            except UnicodeDecodeError as error:
                byte, position = value[error.start], error.start + 1
                detail = f"byte 0x{byte:02x} at byte {position} of {name} is not UTF-8"
                wrong[index] = RowError(reason, detail)
                texts.append(None)
        return pa.array(texts, pa.large_string()), wrong


def _one_by_one(
    array: pa.Array, wanted: pa.DataType, convert: Callable[[Any], Any], reason: Reason
) -> Converted:
    wrong: dict[int, RowError] = {}
    values: list[Any] = []
    for index, scalar in enumerate(array):
        value = None
        try:
            value = convert(scalar.as_py())
        except RowError as error:
            wrong[index] = error
        except (ValueError, OverflowError) as error:  # Python has no such value, as the year 10000
            wrong[index] = RowError(reason, f"the {array.type} value cannot be read ({error})")
        values.append(value)
    return pa.array(values, wanted), wrong
