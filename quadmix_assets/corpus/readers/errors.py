"""The errors of an input file as a whole, and of one of its rows."""

import difflib
from collections.abc import Iterable
from enum import StrEnum
from typing import Self

from upath import UPath

_MAX_COLUMNS_SHOWN = 30


class UnreadableShardError(ValueError):
    """A whole input file cannot be used.

    Attributes:
        path: the file.
        reason: what is wrong, as a sentence.
        remedy: what to do, as a sentence.
    """

    def __init__(self, path: UPath, reason: str, remedy: str) -> None:
        """An error for the file at `path`."""
        super().__init__(path, reason, remedy)
        self.path = path
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        """The file, the reason and the remedy in one message."""
        return f"{self.path}: {self.reason} {self.remedy}"


class MissingTextColumnError(UnreadableShardError):
    """A file lacks the text column."""

    @classmethod
    def of(cls, path: UPath, text_column: str, columns: Iterable[str]) -> Self:
        """The error for a file that has these `columns` only."""
        return cls(
            path,
            no_such_column(text_column, columns),
            "Set corpus.text_column to the one that holds the text.",
        )


class MissingIdColumnError(UnreadableShardError):
    """A file lacks the id column that the settings name."""

    @classmethod
    def of(cls, path: UPath, id_column: str, columns: Iterable[str]) -> Self:
        """The error for a file that has these `columns` only."""
        return cls(
            path,
            no_such_column(id_column, columns),
            "Set corpus.id_column to the one that holds the ids, or to null to have ids made from "
            "shard and row.",
        )


def no_such_column(name: str, columns: Iterable[str]) -> str:
    """A clause that names the missing column, the existing ones, and the most similar of them."""
    there = list(columns)
    near = difflib.get_close_matches(name, there, n=1)
    return (
        f"it has no column {name!r}; its columns are: {', '.join(there[:_MAX_COLUMNS_SHOWN])}"
        + ("" if len(there) <= _MAX_COLUMNS_SHOWN else ", ...")
        + (f"; did you mean {near[0]!r}?" if near else ".")
    )


class Reason(StrEnum):
    """Why a row is in quarantine."""

    BLANK_LINE = "blank_line"
    BROKEN_JSON = "broken_json"
    NOT_AN_OBJECT = "not_an_object"
    DUPLICATE_KEY = "duplicate_key"
    MISSING_TEXT = "missing_text"
    WRONG_TYPE = "wrong_type"
    INVALID_UTF8 = "invalid_utf8"
    EMPTY_TEXT = "empty_text"
    TOO_LARGE = "too_large"
    BAD_ID = "bad_id"
    DUPLICATE_ID = "duplicate_id"
    BAD_CARRIED_VALUE = "bad_carried_value"


class RowError(ValueError):
    """One row cannot be used.

    Attributes:
        reason: a code, stable between versions.
        detail: an explanation for the user.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        """An error with its code and explanation."""
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
