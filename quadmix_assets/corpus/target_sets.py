"""Reads target sets (text that the mix should make a model good at), and splits and orders them."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from upath import UPath

from quadmix_assets.corpus.readers import MissingTextColumnError
from quadmix_assets.corpus.target_documents import target_documents
from quadmix_assets.hashing import hash_number

_SCHEMA = {"id": pl.String, "text": pl.String}


def read_target_set(
    files: UPath | Sequence[UPath],
    *,
    name: str,
    text_column: str = "text",
    id_column: str = "id",
    template: str | None = None,
    format: str | None = None,
    max_documents: int | None = None,
    seed: int = 0,
) -> pl.DataFrame:
    """The documents of a target set as (id, text), in the order of the files and their rows.

    The text is `text_column`, or `template` filled in with the columns of each row (see
    `template.py`), for example "{prompt}\\n\\n{response}", or with the fields that the target
    format named `format` makes of the row. A row without an id gets "<name>:<row>" (in the
    second and later files "<name>-<file>:<row>"). A set of more than `max_documents` is sampled
    down; the sample depends on the ids and `seed` alone.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file cannot be read, or one of its rows cannot be used (a target set is
            curated, so no row is dropped silently), or an id occurs twice, or there is no
            document.
    """
    paths = [files] if isinstance(files, UPath) else list(files)
    frames = []
    for number, path in enumerate(paths):
        if not path.exists():
            raise FileNotFoundError(
                f"targets: the target set {name!r} should be read from {path}, but there is no "
                f"such file. Put it there, or correct targets[{name}].path in the settings."
            )
        key = name if number == 0 else f"{name}-{number}"
        try:
            documents = target_documents(
                path,
                name=name,
                key=key,
                text_column=text_column,
                id_column=id_column,
                template=template,
                format=format,
            )
            frames.append(pl.DataFrame(list(documents), schema=_SCHEMA, orient="row"))
        except MissingTextColumnError as error:
            raise ValueError(
                f"{error.path}: {error.reason} Set targets[{name}].text_column to the one that "
                "holds the text, or give a template or a format."
            ) from error
    frame = pl.concat(frames)
    _check(frame, paths[0])
    if max_documents is not None and frame.height > max_documents:
        keys = pl.Series([_hash(id_, seed) for id_ in frame["id"]])
        frame = frame.filter(keys.rank("ordinal") <= max_documents)
    return frame


def split_target_set(
    frame: pl.DataFrame, *, fit_share: float, seed: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split (id, text) into (fit, held_out): each text is in `fit` with probability `fit_share`.

    The part is a function of the text and the seed alone, so it depends neither on the order nor
    on the other documents, and equal texts are in the same part: a criterion that is fitted to
    one part has never seen a text of the other.

    Raises:
        ValueError: `fit_share` is not in [0, 1], or it is neither 0 nor 1 and a part is empty.
    """
    if not 0.0 <= fit_share <= 1.0:
        raise ValueError(f"targets: fit_share is {fit_share}, expected a share between 0 and 1.")
    # The upper 53 bits, which a float holds exactly, as a number in [0, 1).
    uniform = [(_hash(text, seed) >> 11) / 2.0**53 for text in frame["text"]]
    in_fit = pl.Series(uniform, dtype=pl.Float64) < fit_share
    fit, held_out = frame.filter(in_fit), frame.filter(~in_fit)
    if 0.0 < fit_share < 1.0 and (fit.is_empty() or held_out.is_empty()):
        raise ValueError(
            f"targets: a fit_share of {fit_share} with seed {seed} splits {frame.height} documents "
            f"({frame['text'].n_unique()} different texts) into {fit.height} to fit criteria and "
            f"{held_out.height} to evaluate; both need some. Add documents or change fit_share."
        )
    return fit, held_out


def evaluation_order(frame: pl.DataFrame) -> pl.DataFrame:
    """The documents ordered by a hash of their ids, so that the first n are a random sample."""
    keys = pl.Series([_hash(id_, 0) for id_ in frame["id"]], dtype=pl.UInt64)
    return frame[keys.arg_sort()]


def n_evaluated(n_tokens: np.ndarray, max_tokens: int | None) -> int:
    """Number of documents that losses are measured on: the first ones that fit `max_tokens`.

    Args:
        n_tokens: (D,) tokens of each document, in evaluation order.
        max_tokens: maximum of their sum; None for all documents. At least one is taken.
    """
    if max_tokens is None:
        return len(n_tokens)
    return max(1, int(np.searchsorted(np.cumsum(n_tokens), max_tokens, side="right")))


def _hash(value: str, seed: int) -> int:
    return hash_number(value.encode(), seed)


def _check(frame: pl.DataFrame, path: UPath) -> None:
    if frame.is_empty():
        raise ValueError(f"{path}: the target set has no document; expected at least one row.")
    twice = frame.filter(frame["id"].is_duplicated())["id"].unique().sort()
    if not twice.is_empty():
        raise ValueError(
            f"{path}: {len(twice)} ids occur more than once, for example {twice[0]!r}. Make the "
            "ids of a target set unique, or remove them to have them made from the row."
        )
