"""Appends the tokens of chosen documents of a shard to a token file."""

import numpy as np
import polars as pl

from quadmix_assets.corpus.token_encoder import TokenEncoder
from quadmix_assets.outputs import RAW_SHARDS
from quadmix_assets.store import Store
from quadmix_assets.training.token_file import TokenFileWriter


def append_tokens(
    store: Store, shard: str, chosen: np.ndarray, encoder: TokenEncoder, writer: TokenFileWriter
) -> None:
    """Tokenise the chosen documents of a raw shard and append them, in the order of the shard.

    Args:
        store: the lake.
        shard: the partition of the raw shard.
        chosen: (D,) bool, which of the shard's documents to append.
        encoder: of the project's tokenizer.
        writer: of the token file.

    Raises:
        MissingOutputError: the shard has not been normalized.
    """
    start = 0
    for batch in store.iter_table(store.table_path(RAW_SHARDS, shard), ["text"]):
        texts = batch["text"].filter(pl.Series(chosen[start : start + batch.height]))
        start += batch.height
        if len(texts):
            writer.append(encoder.encode(texts.to_list()))
