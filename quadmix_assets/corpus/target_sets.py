"""Reads target sets (text that the mix should make a model good at), and splits and orders them."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl
from upath import UPath

from quadmix_assets.corpus.near_duplicates import near_duplicates
from quadmix_assets.corpus.readers import MissingTextColumnError
from quadmix_assets.corpus.target_document import TargetDocument
from quadmix_assets.corpus.target_documents import target_documents
from quadmix_assets.corpus.template import Span
from quadmix_assets.corpus.template_labels import common_labels, label_spans
from quadmix_assets.hashing import hash_number

FIT = "fit"
"""Part of a target set that criteria may be fitted to."""
SEARCH = "search"
"""Part on which proxies are scored: regressors learn from it, and thetas are chosen by it."""
PROOF = "proof"
"""Part that is only ever evaluated on: nothing is fitted to it, and nothing is chosen by it."""
PARTS = (FIT, SEARCH, PROOF)
EVALUATED = (SEARCH, PROOF)
"""The parts that losses are measured on."""

_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "id": pl.String,
    "text": pl.String,
    "template": pl.List(pl.Struct({"start": pl.Int64, "stop": pl.Int64})),
    "choices": pl.List(
        pl.Struct({"text": pl.String, "start": pl.Int64, "stop": pl.Int64, "is_right": pl.Boolean})
    ),
}


@dataclass(frozen=True)
class TargetParts:
    """The three parts of a target set, each a frame with at least the columns id and text."""

    fit: pl.DataFrame
    search: pl.DataFrame
    proof: pl.DataFrame

    def __getitem__(self, part: str) -> pl.DataFrame:
        """The part of that name, one of PARTS."""
        return {FIT: self.fit, SEARCH: self.search, PROOF: self.proof}[part]


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
    setting: str | None = None,
) -> pl.DataFrame:
    """The documents of a target set, in the order of the files and their rows.

    Columns are id, text, template (where in the text words of a template stand, in characters) and
    choices (of a multiple-choice question: the text with each of them, where in it the choice
    stands, and whether it is the right one; else empty).

    The text is `text_column`, or `template` filled in with the columns of each row (see
    `template.py`), for example "{prompt}\\n\\n{response}", or with the fields that the target
    format named `format` makes of the row. Of a text that is complete already, the template are
    the labels that nearly all texts have (see `template_labels`).

    A row without an id gets "<name>:<row>" (in the second and later files "<name>-<file>:<row>"). A
    set of more than `max_documents` is sampled down; the sample depends on the ids and `seed`
    alone. Messages name the set by `setting`, by default `targets[<name>]`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file cannot be read, or one of its rows cannot be used (a target set is
            curated, so no row is dropped silently), or an id occurs twice, or there is no
            document.
    """
    setting = setting or f"targets[{name}]"
    paths = [files] if isinstance(files, UPath) else list(files)
    frames = []
    for number, path in enumerate(paths):
        if not path.exists():
            raise FileNotFoundError(
                f"{setting}: its documents should be read from {path}, but there is no such "
                f"file. Put it there, or correct {setting}.path in the settings."
            )
        key = name if number == 0 else f"{name}-{number}"
        try:
            documents = target_documents(
                path,
                setting=setting,
                key=key,
                text_column=text_column,
                id_column=id_column,
                template=template,
                format=format,
            )
            frames.append(_frame(documents))
        except MissingTextColumnError as error:
            raise ValueError(
                f"{error.path}: {error.reason} Set {setting}.text_column to the one that "
                "holds the text, or give a template or a format."
            ) from error
    frame = pl.concat(frames)
    _check(frame, paths[0])
    if template is None and format is None:
        labels = common_labels(frame["text"].to_list())
        spans = [_spans(label_spans(text, labels)) for text in frame["text"]]
        frame = frame.with_columns(pl.Series("template", spans, _SCHEMA["template"]))
    if max_documents is not None and frame.height > max_documents:
        keys = pl.Series([_hash(id_, seed) for id_ in frame["id"]])
        frame = frame.filter(keys.rank("ordinal") <= max_documents)
    return frame


def split_target_set(
    frame: pl.DataFrame, *, fit_share: float, proof_share: float, seed: int
) -> TargetParts:
    """Split a target set, a frame with at least the columns id and text, into its three parts.

    A text is in `fit` with probability `fit_share`, and of the others in `proof` with probability
    `proof_share`. Near-duplicates (see `near_duplicates`) are in the same part, so that nothing
    that a criterion or a search has seen stands in another part in slightly other words. The part
    is a function of the group's texts and the seed alone, and not of the order.

    Raises:
        ValueError: a share is not in [0, 1], or one is neither 0 nor 1 and a part is empty.
    """
    for name, share in (("fit_share", fit_share), ("proof_share", proof_share)):
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"targets: {name} is {share}, expected a share between 0 and 1.")
    groups = near_duplicates(frame["text"])
    n_groups = int(groups.max(initial=-1)) + 1
    least = np.full(n_groups, np.iinfo(np.uint64).max)
    np.minimum.at(least, groups, np.array([_hash(text, 0) for text in frame["text"]], np.uint64))
    numbers = [hash_number(int(value).to_bytes(8, "little"), seed) for value in least]
    # The upper 53 bits, which a float holds exactly, as a number in [0, 1).
    uniform = np.array([(number >> 11) / 2.0**53 for number in numbers], np.float64)[groups]
    in_fit = uniform < fit_share
    in_proof = ~in_fit & (uniform < fit_share + (1.0 - fit_share) * proof_share)
    parts = TargetParts(
        fit=frame.filter(in_fit),
        search=frame.filter(~in_fit & ~in_proof),
        proof=frame.filter(in_proof),
    )
    shares = {
        FIT: fit_share,
        SEARCH: (1.0 - fit_share) * (1.0 - proof_share),
        PROOF: (1.0 - fit_share) * proof_share,
    }
    if any(parts[part].is_empty() for part, share in shares.items() if share > 0.0):
        sizes = ", ".join(f"{part} {parts[part].height}" for part in PARTS)
        raise ValueError(
            f"targets: a fit_share of {fit_share} and a proof_share of {proof_share} with seed "
            f"{seed} split {frame.height} documents ({n_groups} different ones, near-duplicates "
            f"counted once) into the parts {sizes}; all of them need some. Add documents or change "
            "the shares."
        )
    return parts


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


def _frame(documents: Iterable[TargetDocument]) -> pl.DataFrame:
    rows = [
        {
            "id": document.id,
            "text": document.text,
            "template": _spans(document.template),
            "choices": [asdict(choice) for choice in document.choices],
        }
        for document in documents
    ]
    return pl.DataFrame(rows, schema=_SCHEMA)


def _spans(spans: Sequence[Span]) -> list[dict[str, int]]:
    return [{"start": start, "stop": stop} for start, stop in spans]


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
