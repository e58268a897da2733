"""Reads JSON lines as batches of columns; a bad line does not affect the others."""

import json
from collections.abc import Iterator, Sequence, Set
from typing import Any, NoReturn

import orjson
import pyarrow as pa
from upath import UPath

from quadmix_assets.corpus.readers.batch import Columns, ReadBatch, Rejection, excerpt
from quadmix_assets.corpus.readers.errors import MissingTextColumnError, Reason, RowError
from quadmix_assets.corpus.readers.limits import (
    MAX_BATCH_BYTES,
    MAX_LINE_BYTES,
    MAX_LINE_OBJECTS,
    MAX_LINE_VALUES,
)
from quadmix_assets.corpus.readers.lines import Line, read_lines
from quadmix_assets.corpus.readers.values import CARRIED_TYPES, carried_value, describe, id_of

ABSENT = object()
_BOM = b"\xef\xbb\xbf"
# A byte of text takes at most six in JSON (\u0001); the rest is room for the other columns.
_LINE_BYTES_PER_TEXT_BYTE = 8
_MIN_LINE_LIMIT = 1 << 16


def read_jsonl(
    path: UPath, columns: Columns, *, max_text_bytes: int, batch_rows: int
) -> Iterator[ReadBatch]:
    """Read the lines of a file of JSON objects, plain or compressed.

    Raises:
        UnreadableShardError: see `read_lines`.
        MissingTextColumnError: there are objects but none has the text column (raised at the end).
    """
    absent = set(columns.names())
    names: dict[str, None] = {}
    batch = _Batch(columns)
    unique = [name for name in (columns.text, columns.id) if name is not None]
    for line, record in read_records(path, max_text_bytes=max_text_bytes, unique=unique):
        if isinstance(record, RowError):
            batch.reject(line, None, record)
        else:
            if columns.text in absent:
                names |= dict.fromkeys(record)
            for name in [name for name in absent if lookup(record, name) is not ABSENT]:
                absent.remove(name)
            try:
                batch.add(line.row, record)
            except RowError as error:
                batch.reject(line, record, error)
        batch.n_bytes += len(line.content)
        if batch.n_rows >= batch_rows or batch.n_bytes >= MAX_BATCH_BYTES:
            yield batch.finish(absent)
            batch = _Batch(columns)
    if names and columns.text in absent:
        raise MissingTextColumnError.of(path, columns.text, names)
    if batch.n_rows:
        yield batch.finish(absent)


def read_records(
    path: UPath, *, max_text_bytes: int, unique: Sequence[str] = ()
) -> Iterator[tuple[Line, dict[str, Any] | RowError]]:
    """Every line with its object, or with the error of the line.

    An object that gives one of the keys in `unique` twice is an error, since either value may be
    meant. A line too long for any text of up to `max_text_bytes` is not read as a whole.

    Raises:
        UnreadableShardError: see `read_lines`.
    """
    limit = max(_LINE_BYTES_PER_TEXT_BYTE * max_text_bytes, _MIN_LINE_LIMIT)
    limit = min(limit, max(MAX_LINE_BYTES, 2 * max_text_bytes))
    needles = {key: orjson.dumps(key) for key in unique}
    for line in read_lines(path, max_line_bytes=limit):
        try:
            yield line, _parse(line, needles, limit)
        except RowError as error:
            yield line, error


def lookup(record: dict[str, Any], name: str) -> Any:
    """The value of column `name`, of a field a.b if there is no such column, else ABSENT."""
    value = record.get(name, ABSENT)
    if value is ABSENT and "." in name:
        value = record
        for part in name.split("."):
            value = value.get(part, ABSENT) if isinstance(value, dict) else ABSENT
    return value


class _Batch:
    """Collects rows for a ReadBatch."""

    def __init__(self, columns: Columns) -> None:
        self.n_bytes = 0
        self._columns = columns
        self._rows: list[int] = []
        self._texts: list[str] = []
        self._ids: list[str | None] = []
        self._passed_on = [(columns.source, "string"), *columns.carried.items()]
        self._values: list[list[Any]] = [[] for _ in self._passed_on]
        self._rejected: list[Rejection] = []

    @property
    def n_rows(self) -> int:
        return len(self._rows) + len(self._rejected)

    def add(self, row: int, record: dict[str, Any]) -> None:
        """Add a row.

        Raises:
            RowError: the row cannot be used; the batch is unchanged.
        """
        columns = self._columns
        text = lookup(record, columns.text)
        if text is ABSENT:
            keys = ", ".join(list(record)[:10])
            raise RowError(
                Reason.MISSING_TEXT, f"the object has no key {columns.text!r}; it has: {keys}"
            )
        if not isinstance(text, str):
            raise RowError(
                Reason.WRONG_TYPE, f"{columns.text!r} is {describe(text)}, expected a string"
            )
        id_ = id_of(_value(record, columns.id))
        passed_on = [_convert(record, name, kind) for name, kind in self._passed_on]
        self._rows.append(row)
        self._texts.append(text)
        self._ids.append(id_)
        for values, value in zip(self._values, passed_on, strict=True):
            values.append(value)

    def reject(self, line: Line, record: dict[str, Any] | None, error: RowError) -> None:
        """Add a row that cannot be used."""
        try:
            id_ = id_of(_value(record or {}, self._columns.id))
        except RowError:
            id_ = None
        self._rejected.append(
            Rejection(line.row, id_, error.reason, error.detail, excerpt(line.content))
        )

    def finish(self, absent: Set[str]) -> ReadBatch:
        """The rows as columns; `absent` are the columns that no row of the file has so far."""
        source, *carried = (
            pa.array(values, CARRIED_TYPES[kind])
            for values, (_, kind) in zip(self._values, self._passed_on, strict=True)
        )
        return ReadBatch(
            rows=pa.array(self._rows, pa.int64()),
            text=pa.array(self._texts, pa.large_string()),
            ids=pa.array(self._ids, pa.string()),
            source=source,
            carried=dict(zip(self._columns.carried, carried, strict=True)),
            rejected=self._rejected,
            present=frozenset(self._columns.names()) - absent,
        )


def _value(record: dict[str, Any], name: str | None) -> Any:
    value = ABSENT if name is None else lookup(record, name)
    return None if value is ABSENT else value


def _convert(record: dict[str, Any], name: str | None, kind: str) -> Any:
    value = _value(record, name)
    if value is None or (kind == "string" and type(value) is str):  # the common case
        return value
    return carried_value(value, kind, name or "")


def _parse(line: Line, needles: dict[str, bytes], limit: int) -> dict[str, Any]:
    if line.is_cut:
        raise RowError(
            Reason.TOO_LARGE, f"the line has {line.n_bytes} bytes, over the limit of {limit}"
        )
    content = line.content.removeprefix(_BOM)
    if not content.strip():
        raise RowError(Reason.BLANK_LINE, "the line is blank")
    if len(content) > MAX_LINE_OBJECTS:
        _require_few_values(content)
    try:
        record = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise _diagnose(content, error) from None
    if not isinstance(record, dict):
        raise RowError(
            Reason.NOT_AN_OBJECT, f"the line is {describe(record)}, expected an object {{...}}"
        )
    for key, needle in needles.items():
        # The quoted key may also occur in a text or a nested object, so keys are then parsed.
        if content.count(needle) > 1 and _top_level_keys(content).count(key) > 1:
            raise RowError(Reason.DUPLICATE_KEY, f"the object has the key {key!r} more than once")
    return record


def _require_few_values(content: bytes) -> None:
    """Refuse a line whose values would take far more memory than its bytes.

    Raises:
        RowError: it has too many; brackets and commas within strings count too.
    """
    n_objects = content.count(b"[") + content.count(b"{")
    for number, what, most in (
        (n_objects, "lists and objects", MAX_LINE_OBJECTS),
        (content.count(b","), "values", MAX_LINE_VALUES),
    ):
        if number > most:
            raise RowError(
                Reason.TOO_LARGE, f"the line holds {number:,} {what}, over the limit of {most:,}"
            )


def _diagnose(content: bytes, error: orjson.JSONDecodeError) -> RowError:
    try:
        text = content.decode()
    except UnicodeDecodeError as undecodable:
        position = undecodable.start
        return RowError(
            Reason.INVALID_UTF8,
            f"byte 0x{content[position]:02x} at byte {position + 1} of the line is not UTF-8",
        )
    try:
        # Python's parser accepts lone surrogates, which orjson refuses and UTF-8 cannot encode.
        json.dumps(json.loads(text, parse_constant=_refuse), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return RowError(
            Reason.INVALID_UTF8, r"a \ud800-\udfff escape stands alone, which is no character"
        )
    except (ValueError, RecursionError):
        pass
    return RowError(Reason.BROKEN_JSON, str(error))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _top_level_keys(content: bytes) -> list[str]:
    try:
        pairs = json.loads(content, object_pairs_hook=lambda pairs: pairs)
    except RecursionError:  # orjson reads deeper nesting than Python's parser
        return []
    return [key for key, _ in pairs]
