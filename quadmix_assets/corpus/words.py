"""Turns texts into arrays of word hashes, so that words and n-grams are counted with NumPy.

Each distinct word is hashed once per chunk of texts, by xxh3-64 of its UTF-8 bytes. That hash is
the same on every machine and in every version, so that tables of hashed n-grams can be stored.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from quadmix_assets.hashing import hash_number

WORDS_AND_MARKS = r"\w+|[^\w\s]+"
"""Runs of letters and digits, and runs of punctuation (NLTK's wordpunct, which DSIR uses)."""
BLANK_SEPARATED = r"\S+"
"""Words as Gopher counts them."""

CHUNK_BYTES = 1 << 20
MIN_DOCUMENT_BYTES = 32
"""Bytes that a shorter document counts as, so that a chunk holds at most 2**15 + 1 documents."""


@dataclass(frozen=True)
class WordTable:
    """The words of D documents, in order: W words, of which V are distinct.

    Attributes:
        n_words: (D,) int64, words per document.
        codes: (W,) int64, index into the vocabulary.
        vocabulary: (V,) the distinct words, lower-cased.
        hashes: (V,) uint64, hashes of the distinct words.
    """

    n_words: np.ndarray
    codes: np.ndarray
    vocabulary: pl.Series
    hashes: np.ndarray

    @property
    def word_hashes(self) -> np.ndarray:
        """(W,) uint64: the hash of each word."""
        return self.hashes[self.codes]

    @property
    def documents(self) -> np.ndarray:
        """(W,) int64: the index of the document of each word."""
        return np.repeat(np.arange(len(self.n_words)), self.n_words)

    def inside(self, n: int) -> np.ndarray:
        """(W - n + 1,) bool: whether the n-gram that starts at a word ends in the same document."""
        documents = self.documents
        same: np.ndarray = documents[: max(len(documents) - n + 1, 0)] == documents[n - 1 :]
        return same

    def sums(self, values: np.ndarray) -> np.ndarray:
        """(D,) sums of `values` (W,) over the words of each document; 0 without words.

        Each document is summed on its own, so that rounding does not depend on the others.
        """
        sums = np.zeros(len(self.n_words), dtype=values.dtype)
        filled = self.n_words > 0
        if filled.any():
            starts = np.cumsum(self.n_words) - self.n_words
            sums[filled] = np.add.reduceat(values, starts[filled])
        return sums


def word_table(texts: pl.Series, pattern: str) -> WordTable:
    """Cut lower-cased texts into words, each a match of the regular expression `pattern`."""
    words = texts.str.to_lowercase().str.extract_all(pattern)
    n_words = words.list.len().to_numpy().astype(np.int64)
    encoded = words.filter(words.list.len() > 0).explode().to_arrow().dictionary_encode()
    vocabulary = pl.Series("word", encoded.dictionary, dtype=pl.String)
    content = encoded.dictionary.cast(pa.large_binary()).to_pylist()
    hashes = np.fromiter(map(hash_number, content), dtype=np.uint64, count=len(content))
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return WordTable(n_words, codes, vocabulary, hashes)


def text_chunks(texts: pl.Series) -> Iterator[pl.Series]:
    """Cut texts into chunks of about CHUNK_BYTES: memory stays small and arrays stay in the cache.

    A chunk holds at least one document, however long, and at most 2**15 + 1.
    """
    if texts.is_empty():
        return
    sizes = np.maximum(texts.str.len_bytes().to_numpy().astype(np.int64), MIN_DOCUMENT_BYTES)
    ends = np.cumsum(sizes)
    cuts = np.flatnonzero(np.diff(ends // CHUNK_BYTES)) + 1
    bounds = [0, *cuts.tolist(), len(texts)]
    for start, stop in itertools.pairwise(bounds):
        yield texts[start:stop]


def extend_ngrams(keys: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Hashes of (n+1)-grams from those of n-grams and of single words.

    Args:
        keys: (W - n + 1,) uint64, hash of the n-gram that starts at each word.
        hashes: (W,) uint64, hash of each word.

    Returns:
        (W - n,) uint64, including n-grams across the end of a document: mask these with `inside`.
    """
    n = len(hashes) - len(keys) + 1
    # Multiplication by an odd number is a bijection, and makes "a b" differ from "b a". The shift
    # mixes high bits into the low ones, from which callers take buckets.
    mixed = keys[:-1] * np.uint64(0x9E3779B97F4A7C15) + hashes[n:]
    return np.bitwise_xor(mixed, mixed >> np.uint64(29))
