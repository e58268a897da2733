"""Texts as sets of shingles: hashed runs of n consecutive words, without case and punctuation."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from quadmix_assets.corpus.words import WORDS, extend_ngrams, text_chunks, word_table
from quadmix_assets.hashing import hash_number
from quadmix_assets.sampling.validation import IntArray
from quadmix_assets.splitmix64 import UIntArray


@dataclass(frozen=True, eq=False)
class Shingles:
    """The shingles of D documents, one after the other; every document has at least one.

    Attributes:
        hashes: (S,) uint64; a shingle that a document repeats is there as often.
        documents: (S,) index of the document, ascending.
        n_documents: D.
    """

    hashes: UIntArray
    documents: IntArray
    n_documents: int


def shingles_of(texts: pl.Series, n_words: int) -> Iterator[Shingles]:
    """The shingles of texts, in chunks that bound the memory, in the order of the texts.

    A text of fewer words has a single shingle, its lower-cased whole.
    """
    for chunk in text_chunks(texts):
        table = word_table(chunk, WORDS)
        keys = table.word_hashes
        for _ in range(n_words - 1):
            keys = extend_ngrams(keys, table.word_hashes) if len(keys) else keys
        inside = table.inside(n_words)
        owners = table.documents[: len(inside)][inside]
        short = np.flatnonzero(table.n_words < n_words)
        whole = [hash_number(text.lower().encode()) for text in chunk.gather(short)]
        documents = np.concatenate([owners, short])
        order = np.argsort(documents, kind="stable")
        hashes = np.concatenate([keys[inside], np.array(whole, dtype=np.uint64)])
        yield Shingles(hashes[order], documents[order], len(chunk))
