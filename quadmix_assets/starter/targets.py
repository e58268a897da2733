"""Guesses how the files of a folder become target sets."""

import re
from dataclasses import dataclass

from upath import UPath

from quadmix_assets.corpus.readers import (
    SUPPORTED_SUFFIXES,
    FileSample,
    UnreadableShardError,
    read_sample,
)
from quadmix_assets.corpus.target_formats.registry import FORMATS, target_format
from quadmix_assets.starter.survey import ColumnSurvey, survey_rows

_N_ROWS = 200
_PAIRS = (
    ("prompt", "response"),
    ("prompt", "completion"),
    ("instruction", "output"),
    ("instruction", "response"),
    ("question", "answer"),
    ("query", "response"),
    ("input", "output"),
)
_EVALUATION = re.compile(r"[._-](test|validation|valid|val|dev|eval)$")


@dataclass
class TargetGuess:
    """How one file may become a target set.

    Attributes:
        name: name of the target set, from the file's name.
        path: the file.
        n_rows: its rows; 0 where it cannot be used.
        is_estimate: whether `n_rows` is estimated from the file's size.
        columns: names of its columns.
        options: settings that make texts of its rows; empty where the defaults do.
        reason: why these options are chosen, or why it cannot be used.
        train_name: name of the target set of the training split, where this file is another split
            of the same data.
    """

    name: str
    path: UPath
    n_rows: int
    is_estimate: bool
    columns: tuple[str, ...]
    options: dict[str, str]
    reason: str
    train_name: str | None = None

    @property
    def is_usable(self) -> bool:
        """Whether texts can be made of its rows."""
        return self.n_rows > 0


def guess_targets(folder: UPath) -> list[TargetGuess]:
    """One guess for each file of a supported format in the folder; none if there is no folder."""
    if not folder.is_dir():
        return []
    files = sorted(
        (path for path in folder.iterdir() if path.name.lower().endswith(SUPPORTED_SUFFIXES)),
        key=lambda path: path.name,
    )
    guesses: list[TargetGuess] = []
    for path in files:
        name = _name(path, {guess.name for guess in guesses})
        guesses.append(_guess(path, name))
    by_stem = {re.sub(r"[._-]train$", "", g.name): g.name for g in guesses if g.is_usable}
    for guess in guesses:
        stem = _EVALUATION.sub("", guess.name)
        if stem != guess.name and by_stem.get(stem, guess.name) != guess.name:
            guess.train_name = by_stem[stem]
    return guesses


def _guess(path: UPath, name: str) -> TargetGuess:
    try:
        sample = read_sample(path, n_rows=_N_ROWS)
    except (UnreadableShardError, OSError) as error:
        return TargetGuess(name, path, 0, False, (), {}, str(error))
    if not sample.rows:
        return TargetGuess(name, path, 0, False, sample.columns, {}, "it holds no row")
    options, reason = _options(sample)
    return TargetGuess(
        name,
        path,
        sample.n_rows if reason else 0,
        sample.is_estimate,
        sample.columns,
        options,
        reason or f"no column of it holds text in every row; it has: {', '.join(sample.columns)}",
    )


def _options(sample: FileSample) -> tuple[dict[str, str], str]:
    """The settings that make texts of the rows, and the reason; "" where no settings do."""
    columns: dict[str, ColumnSurvey] = {}
    survey_rows(sample, columns)
    strings = {
        name: column
        for name, column in columns.items()
        if column.types["string"] == len(sample.rows) and not sample.n_broken
    }
    if "text" in strings:
        return {}, "its column 'text' is the text"
    for name in FORMATS:
        if _fits(sample, name):
            return {"format": name}, f"its rows are those of the format {name!r}"
    for prompt, response in _PAIRS:
        if prompt in strings and response in strings:
            return {"template": f"{{{prompt}}}\n\n{{{response}}}"}, "it holds pairs"
    longest = max(strings.values(), key=lambda column: column.n_characters, default=None)
    if longest is None:
        return {}, ""
    return {"text_column": longest.name}, f"its column {longest.name!r} holds the longest texts"


def _fits(sample: FileSample, format: str) -> bool:
    fields = target_format(format).fields
    try:
        return all(
            isinstance(value, str) or key == "choices"
            for record in sample.rows.values()
            for piece in fields(record)
            for key, value in piece.items()
        )
    except (LookupError, AttributeError, TypeError, ValueError):
        return False


def _name(path: UPath, taken: set[str]) -> str:
    suffix = next(
        s for s in sorted(SUPPORTED_SUFFIXES, key=len)[::-1] if path.name.lower().endswith(s)
    )
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", path.name[: -len(suffix)]).strip("_") or "target"
    name = name if name[0].isalpha() else f"target_{name}"
    number = 2
    unique = name
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    return unique
