"""Surveys the columns of a pool, by the first rows of some of its shards."""

import datetime
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from upath import UPath

from quadmix_assets.corpus.check.shards import N_ROWS, spread
from quadmix_assets.corpus.discovery import Discovery, discover
from quadmix_assets.corpus.readers import (
    SUPPORTED_SUFFIXES,
    FileSample,
    UnreadableShardError,
    read_sample,
)
from quadmix_assets.settings import CorpusSettings
from quadmix_assets.starter.errors import ProfileNotWrittenError

_MAX_DEPTH = 3
_MAX_DISTINCT = 20_000
_EXAMPLE_CHARACTERS = 48
_TYPES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "bool"),
    (int, "int"),
    ((float, Decimal), "float"),
    ((str, bytes), "string"),
    ((datetime.date, datetime.time), "time"),
    ((list, tuple), "list"),
    (dict, "object"),
)


@dataclass
class ColumnSurvey:
    """One column, or one field of an object ("a.b"), in the inspected rows.

    Attributes:
        name: as the settings name it.
        types: number of values by type.
        n_null: rows that have the column without a value.
        distinct: number of rows by value; long values are left out.
        n_characters: characters of all strings together.
        n_words: white-space-separated words of all strings together.
        example: the first value, shortened.
    """

    name: str
    types: Counter[str] = field(default_factory=Counter)
    n_null: int = 0
    distinct: Counter[Any] = field(default_factory=Counter)
    n_characters: int = 0
    n_words: int = 0
    example: str = ""

    @property
    def n_values(self) -> int:
        """Rows with a value."""
        return self.types.total()

    @property
    def type(self) -> str:
        """The type of most values; float where some are int and some float."""
        if set(self.types) == {"int", "float"}:
            return "float"
        return self.types.most_common(1)[0][0] if self.types else "null"

    def take(self, value: Any) -> None:
        """Count one value."""
        if value is None or value != value:
            self.n_null += 1
            return
        name = next((name for kind, name in _TYPES if isinstance(value, kind)), "other")
        self.types[name] += 1
        if name == "string":
            text = value if isinstance(value, str) else value.decode(errors="replace")
            self.n_characters += len(text)
            self.n_words += len(text.split())
            value = text
        self.example = self.example or " ".join(str(value).split())[:_EXAMPLE_CHARACTERS]
        is_short = name not in ("list", "object") and len(str(value)) <= 256
        if is_short and (value in self.distinct or len(self.distinct) < _MAX_DISTINCT):
            self.distinct[value] += 1


@dataclass
class PoolSurvey:
    """The shards of a folder.

    Attributes:
        folder: the folder of the shards.
        discovery: all shards.
        patterns: None where the default patterns match them, else patterns that do.
        formats: number of shards by suffix.
        n_read: inspected shards that can be read.
        n_unreadable: inspected shards that cannot be read.
        n_rows_read: inspected rows.
        n_rows: rows of all shards, estimated.
        columns: by name, in the order of their first occurrence.
    """

    folder: UPath
    discovery: Discovery
    patterns: tuple[str, ...] | None
    formats: Counter[str]
    n_read: int = 0
    n_unreadable: int = 0
    n_rows_read: int = 0
    n_rows: int = 0
    columns: dict[str, ColumnSurvey] = field(default_factory=dict)


def survey_pool(folder: UPath) -> PoolSurvey:
    """Inspect the first rows of some of the shards below a folder.

    Raises:
        ProfileNotWrittenError: there is no such folder, no file that can be read, or no row.
    """
    discovery, patterns = _find(folder)
    formats = Counter(_suffix(shard.path) for shard in discovery.shards)
    survey = PoolSurvey(folder, discovery, patterns, formats)
    chosen, _ = spread(discovery.shards)
    first_error = ""
    for shard in chosen:
        try:
            sample = read_sample(shard.path, n_rows=N_ROWS)
        except (UnreadableShardError, OSError) as error:
            survey.n_unreadable += 1
            first_error = first_error or str(error)
            continue
        survey.n_read += 1
        survey.n_rows_read += len(sample.rows)
        survey.n_rows += sample.n_rows
        survey_rows(sample, survey.columns)
    if not survey.n_rows_read:
        raise ProfileNotWrittenError(
            f"{folder}: {len(discovery.shards)} files were found, but none of the inspected ones "
            f"has rows{f' ({first_error})' if first_error else ''}"
        )
    survey.n_rows = round(survey.n_rows * len(discovery.shards) / survey.n_read)
    return survey


def survey_rows(sample: FileSample, columns: dict[str, ColumnSurvey]) -> None:
    """Add the rows of one file to the surveys of columns, by name."""
    for record in sample.rows.values():
        for name, value in _flat(record):
            columns.setdefault(name, ColumnSurvey(name)).take(value)


def _find(folder: UPath) -> tuple[Discovery, tuple[str, ...] | None]:
    try:
        discovery = discover(folder, CorpusSettings().patterns)
        if discovery.shards:
            return discovery, None
        suffixes = {_suffix(folder / name) for name in discovery.ignored} - {""}
        patterns = tuple(f"**/*{suffix}" for suffix in sorted(suffixes))
        if patterns:
            return discover(folder, patterns), patterns
    except (OSError, ValueError) as error:
        raise ProfileNotWrittenError(str(error)) from error
    found = ", ".join(discovery.ignored[:5]) or "nothing"
    raise ProfileNotWrittenError(
        f"{folder}: expected shards that end in {', '.join(SUPPORTED_SUFFIXES)}; there is: {found}"
    )


def _suffix(path: UPath) -> str:
    name = path.name.lower()
    return next((suffix for suffix in SUPPORTED_SUFFIXES[::-1] if name.endswith(suffix)), "")


def _flat(record: Mapping[str, Any], prefix: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        if isinstance(value, Mapping) and depth < _MAX_DEPTH:
            yield from _flat(value, f"{prefix}{key}.", depth + 1)
        else:
            yield f"{prefix}{key}", value
