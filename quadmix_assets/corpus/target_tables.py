"""Writes and reads the outputs of `target_sets`: per target the text of its three parts, and the
tokens of the two that losses are measured on.

These are ordered and tokenised here once, so that batches of proxies need not do so.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from tokenizers import Tokenizer
from upath import UPath

from quadmix_assets.corpus.inputs import target_files
from quadmix_assets.corpus.target_sets import (
    EVALUATED,
    FIT,
    evaluation_order,
    n_evaluated,
    read_target_set,
    split_target_set,
)
from quadmix_assets.corpus.tokenizer import count_tokens, encode, tokenizer_fingerprint
from quadmix_assets.outputs import TARGET_SETS
from quadmix_assets.settings import Settings, TargetSettings
from quadmix_assets.store import MissingOutputError, Store


@dataclass(frozen=True)
class TargetTokens:
    """The documents of a part of a target set, in the order in which they are evaluated.

    Attributes:
        documents: D arrays of int32, the token ids of each document.
        n_bytes: (D,) UTF-8 bytes of each document.
    """

    documents: list[np.ndarray]
    n_bytes: np.ndarray


def write_target_tables(store: Store, settings: Settings, tokenizer: Tokenizer) -> pl.DataFrame:
    """Read, split, tokenise and store all target sets.

    Returns:
        One row per target and part: n_documents, n_tokens, n_tokens_evaluated (that losses are
        measured on), n_bytes, example.

    Raises:
        FileNotFoundError: the file of a target set is not there.
        ValueError: a file cannot be read, or any of its rows cannot be used.
    """
    rows = []
    for target in settings.targets:
        parts = split_target_set(
            read_target_set(
                target_files(settings, store, target),
                name=target.name,
                text_column=target.text_column,
                template=target.template,
                format=target.format,
                max_documents=target.max_documents,
                seed=settings.seed,
            ),
            fit_share=target.fit_share,
            proof_share=target.proof_share,
            seed=settings.seed,
        )
        store.write_table(part_path(store, target.name, FIT), parts.fit)
        n_tokens = count_tokens(tokenizer, parts.fit["text"].to_list())
        rows.append(_summary(target, FIT, parts.fit, n_tokens, n_used=0))
        for part in EVALUATED:
            documents = evaluation_order(parts[part])
            store.write_table(part_path(store, target.name, part), documents)
            n_tokens = write_target_tokens(store, target.name, documents, tokenizer, part=part)
            n_used = n_evaluated(n_tokens, settings.proxies.max_target_tokens)
            rows.append(_summary(target, part, documents, n_tokens, n_used=n_used))
    return pl.DataFrame(rows)


def part_path(store: Store, target: str, part: str) -> UPath:
    """Where the documents of one part of a target set lie."""
    return store.table_path(TARGET_SETS, f"{target}.{part}")


def write_target_tokens(
    store: Store, target: str, documents: pl.DataFrame, tokenizer: Tokenizer, *, part: str
) -> np.ndarray:
    """Tokenise and store the documents (id, text) of a part of a target, in the order given.

    Returns:
        (D,) int64, number of tokens of each document.
    """
    encoded = encode(tokenizer, documents["text"].to_list())
    table = pl.DataFrame(
        {
            "id": documents["id"],
            "n_bytes": documents["text"].str.len_bytes().cast(pl.Int64),
            "tokens": [tokens.tolist() for tokens in encoded],
        },
        schema_overrides={"tokens": pl.List(pl.Int32)},
    )
    path = store.table_path(TARGET_SETS, _tokens_name(target, part))
    store.write_table(path, table, {"tokenizer": tokenizer_fingerprint(tokenizer)})
    return np.fromiter(map(len, encoded), np.int64, len(encoded))


def read_target_tokens(
    store: Store, target: str, tokenizer: Tokenizer, *, part: str
) -> TargetTokens:
    """The documents that `write_target_tokens` stored.

    Raises:
        MissingOutputError: they have not been written, or were encoded with another tokenizer.
    """
    path = store.table_path(TARGET_SETS, _tokens_name(target, part))
    if store.summary(path).get("tokenizer") != tokenizer_fingerprint(tokenizer):
        raise MissingOutputError(
            f"{path} was encoded with another tokenizer than the lake's current one: "
            "materialise the asset 'target_sets' again"
        )
    table = store.read_table(path)
    documents = [np.asarray(tokens, np.int32) for tokens in table["tokens"]]
    return TargetTokens(documents, table["n_bytes"].to_numpy())


def _tokens_name(target: str, part: str) -> str:
    return f"{target}.{part}_tokens"


def _summary(
    target: TargetSettings, part: str, frame: pl.DataFrame, n_tokens: np.ndarray, *, n_used: int
) -> dict[str, object]:
    return {
        "target": target.name,
        "part": part,
        "n_documents": frame.height,
        "n_tokens": int(n_tokens.sum()),
        "n_tokens_evaluated": int(n_tokens[:n_used].sum()),
        "n_bytes": int(frame["text"].str.len_bytes().sum()),
        "example": frame["text"][0][:120] if frame.height else "",
    }
