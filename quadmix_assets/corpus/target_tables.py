"""Writes and reads the outputs of `target_sets`: per target the text of its three parts, and the
tokens of the two that losses are measured on.

These are ordered and tokenised here once, so that batches of proxies need not do so.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from tokenizers import Tokenizer
from upath import UPath

from quadmix_assets.corpus.inputs import setting_of, target_files
from quadmix_assets.corpus.target_choices import choice_tokens
from quadmix_assets.corpus.target_sets import (
    EVALUATED,
    PARTS,
    evaluation_order,
    n_evaluated,
    read_target_set,
    split_target_set,
)
from quadmix_assets.corpus.tokenizer import encode_with_places, tokenizer_fingerprint
from quadmix_assets.outputs import TARGET_SETS
from quadmix_assets.settings import Settings, TargetSettings, TextSetSettings
from quadmix_assets.store import MissingOutputError, Store


@dataclass(frozen=True)
class TargetTokens:
    """The documents of a part of a target set, in the order in which they are evaluated.

    Attributes:
        documents: D arrays of int32, the token ids of each document.
        counted: D arrays of bool, whether a token counts in the loss: those that lie wholly in
            words of a template do not.
        n_bytes: (D,) UTF-8 bytes of each document without the words of its template.
        choices: those of its multiple-choice questions; without rows where it has none.
    """

    documents: list[np.ndarray]
    counted: list[np.ndarray]
    n_bytes: np.ndarray
    choices: pl.DataFrame


def write_target_tables(store: Store, settings: Settings, tokenizer: Tokenizer) -> pl.DataFrame:
    """Read, split, tokenise and store all target sets.

    Returns:
        One row per target and part: n_documents, n_tokens, n_tokens_evaluated (that losses are
        measured on), template_share (the share of the tokens that does not count in a loss,
        because the template has them), template (its words in the first document), n_questions
        (of multiple choice), n_bytes, example.

    Raises:
        FileNotFoundError: the file of a target set is not there.
        ValueError: a file cannot be read, or any of its rows cannot be used.
    """
    rows = []
    for target in settings.targets:
        parts = split_target_set(
            read_documents(settings, store, target),
            fit_share=target.fit_share,
            proof_share=target.proof_share,
            seed=settings.seed,
        )
        for part in PARTS:
            rows.append(_write_part(store, settings, target, part, parts[part], tokenizer))
    return pl.DataFrame(rows)


def read_documents(settings: Settings, store: Store, text_set: TextSetSettings) -> pl.DataFrame:
    """The documents of a target set or a held-out set, as `read_target_set` returns them.

    The column template is left out where the settings do not want it masked.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: a file cannot be read, or any of its rows cannot be used.
    """
    documents = read_target_set(
        target_files(settings, store, text_set),
        name=text_set.name,
        text_column=text_set.text_column,
        template=text_set.template,
        format=text_set.format,
        max_documents=text_set.max_documents,
        seed=settings.seed,
        setting=setting_of(text_set),
    )
    return documents if text_set.mask_template else documents.drop("template")


def _write_part(
    store: Store,
    settings: Settings,
    target: TargetSettings,
    part: str,
    documents: pl.DataFrame,
    tokenizer: Tokenizer,
) -> dict[str, object]:
    """Store one part of a target set; a row of the table that `write_target_tables` returns."""
    if part in EVALUATED:
        documents = evaluation_order(documents)
        tokens = write_target_tokens(store, target.name, documents, tokenizer, part=part)
    else:
        tokens = tokens_of(documents, tokenizer)
    store.write_table(part_path(store, target.name, part), documents.select("id", "text"))
    max_tokens = settings.proxies.max_target_tokens if part in EVALUATED else 0
    return {"target": target.name, "part": part, **counts_of(documents, tokens, max_tokens)}


def counts_of(documents: pl.DataFrame, tokens: TargetTokens, max_tokens: int) -> dict[str, object]:
    """Numbers of documents, tokens, questions and bytes of a set, for reading.

    Args:
        documents: in the order in which they are evaluated.
        tokens: of them.
        max_tokens: tokens that losses are measured on at most; 0 if none is.
    """
    n_tokens = np.fromiter(map(len, tokens.documents), np.int64, documents.height)
    n_used = n_evaluated(n_tokens, max_tokens) if max_tokens else 0
    n_template = n_tokens.sum() - sum(int(counted.sum()) for counted in tokens.counted)
    return {
        "n_documents": documents.height,
        "n_tokens": int(n_tokens.sum()),
        "n_tokens_evaluated": int(n_tokens[:n_used].sum()),
        "template_share": round(float(n_template / max(n_tokens.sum(), 1)), 4),
        "template": _template_words(documents),
        "n_questions": tokens.choices["id"].n_unique(),
        "n_bytes": int(documents["text"].str.len_bytes().sum()),
        "example": documents["text"][0][:120] if documents.height else "",
    }


def _template_words(documents: pl.DataFrame) -> str:
    """The words of the template in the first document, quoted."""
    if documents.is_empty() or "template" not in documents.columns:
        return ""
    text, spans = documents.row(0, named=True)["text"], documents["template"][0].to_list()
    return ", ".join(repr(text[span["start"] : span["stop"]]) for span in spans[:4])


def part_path(store: Store, target: str, part: str) -> UPath:
    """Where the documents of one part of a target set lie."""
    return store.table_path(TARGET_SETS, f"{target}.{part}")


def tokens_of(documents: pl.DataFrame, tokenizer: Tokenizer) -> TargetTokens:
    """Tokenise documents: columns id, text, and template and choices where they have any."""
    texts = documents["text"].to_list()
    n_bytes = documents["text"].str.len_bytes().cast(pl.Int64).to_numpy().copy()
    encoded = encode_with_places(tokenizer, texts)
    counted = [np.ones(len(tokens), bool) for tokens, _ in encoded]
    if "template" in documents.columns:
        for n, spans in enumerate(documents["template"].to_list()):
            for span in spans:
                start, stop = span["start"], span["stop"]
                places = encoded[n][1]
                counted[n] &= (places[:, 0] < start) | (places[:, 1] > stop)
                n_bytes[n] -= len(texts[n][start:stop].encode())
    return TargetTokens(
        [tokens for tokens, _ in encoded], counted, n_bytes, choice_tokens(documents, tokenizer)
    )


def write_target_tokens(
    store: Store, target: str, documents: pl.DataFrame, tokenizer: Tokenizer, *, part: str
) -> TargetTokens:
    """Tokenise and store the documents of a part of a target, in the order given.

    Args:
        store: the lake.
        target: the target set's name.
        documents: columns id, text, and template and choices where they have any, as
            `read_target_set` returns them.
        tokenizer: the project's.
        part: one of EVALUATED.
    """
    return write_tokens(store, TARGET_SETS, f"{target}.{part}", documents, tokenizer)


def write_tokens(
    store: Store, asset: str, name: str, documents: pl.DataFrame, tokenizer: Tokenizer
) -> TargetTokens:
    """Tokenise and store documents as `<asset>/<name>_tokens` and `<asset>/<name>_choices`.

    Args:
        store: the lake.
        asset: the folder of the lake.
        name: of the set in it.
        documents: columns id, text, and template and choices where they have any.
        tokenizer: the project's.
    """
    tokens = tokens_of(documents, tokenizer)
    table = pl.DataFrame(
        {
            "id": documents["id"],
            "n_bytes": tokens.n_bytes,
            "tokens": [ids.tolist() for ids in tokens.documents],
            "counted": [counted.tolist() for counted in tokens.counted],
        },
        schema_overrides={"tokens": pl.List(pl.Int32), "counted": pl.List(pl.Boolean)},
    )
    summary = {"tokenizer": tokenizer_fingerprint(tokenizer)}
    store.write_table(_tokens_path(store, asset, name), table, summary)
    store.write_table(_choices_path(store, asset, name), tokens.choices, summary)
    return tokens


def read_target_tokens(
    store: Store, target: str, tokenizer: Tokenizer, *, part: str
) -> TargetTokens:
    """The documents that `write_target_tokens` stored.

    Raises:
        MissingOutputError: they have not been written, or were encoded with another tokenizer.
    """
    return read_tokens(store, TARGET_SETS, f"{target}.{part}", tokenizer)


def read_tokens(store: Store, asset: str, name: str, tokenizer: Tokenizer) -> TargetTokens:
    """The documents that `write_tokens` stored.

    Raises:
        MissingOutputError: they have not been written, or were encoded with another tokenizer.
    """
    path = _tokens_path(store, asset, name)
    if store.summary(path).get("tokenizer") != tokenizer_fingerprint(tokenizer):
        raise MissingOutputError(
            f"{path} was encoded with another tokenizer than the lake's current one: "
            f"materialise the asset {asset!r} again"
        )
    table = store.read_table(path)
    return TargetTokens(
        documents=[np.asarray(tokens, np.int32) for tokens in table["tokens"]],
        counted=[np.asarray(counted, bool) for counted in table["counted"]],
        n_bytes=table["n_bytes"].to_numpy(),
        choices=store.read_table(_choices_path(store, asset, name)),
    )


def _tokens_path(store: Store, asset: str, name: str) -> UPath:
    return store.table_path(asset, f"{name}_tokens")


def _choices_path(store: Store, asset: str, name: str) -> UPath:
    return store.table_path(asset, f"{name}_choices")
