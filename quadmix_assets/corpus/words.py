"""Turns texts into arrays of word hashes, so that words and n-grams are counted with NumPy.

The hash of a word is xxh3-64 of its UTF-8 bytes. That is the same on every machine and in every
version, so that tables of hashed n-grams can be stored.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from quadmix_assets.corpus.characters import NOT_BLANK, WORD, Characters, runs
from quadmix_assets.corpus.span_hashes import span_hashes
from quadmix_assets.splitmix64 import UIntArray

CHUNK_BYTES = 1 << 20
MIN_DOCUMENT_BYTES = 32
"""Bytes that a shorter document counts as, so that a chunk holds at most 2**15 + 1 documents."""


@dataclass(frozen=True)
class Cut:
    """A way to cut texts into words.

    Attributes:
        pattern: a regular expression whose matches are the words.
        classes: flags of classes of characters; a word is a run of characters that have the same
            of these flags, and at least one.
    """

    pattern: str
    classes: int


WORDS = Cut(r"\w+", WORD)
"""Runs of letters and digits."""
WORDS_AND_MARKS = Cut(r"\w+|[^\w\s]+", WORD | NOT_BLANK)
"""Runs of letters and digits, and runs of punctuation (NLTK's wordpunct, which DSIR uses)."""
BLANK_SEPARATED = Cut(r"\S+", NOT_BLANK)
"""Words as Gopher counts them."""


@dataclass(frozen=True, eq=False)
class WordTable:
    """The W words of D documents, in order.

    Attributes:
        characters: of the documents, lower-cased.
        starts, ends: (W,) int64, the first byte of each word, and the one behind its last.
        n_words: (D,) int64, words per document.
    """

    characters: Characters
    starts: np.ndarray
    ends: np.ndarray
    n_words: np.ndarray

    @cached_property
    def word_hashes(self) -> UIntArray:
        """(W,) uint64: the hash of each word."""
        return span_hashes(self.characters, self.starts, self.ends)

    @cached_property
    def documents(self) -> np.ndarray:
        """(W,) int64: the index of the document of each word."""
        return np.repeat(np.arange(len(self.n_words)), self.n_words)

    def inside(self, n: int) -> np.ndarray:
        """(W - n + 1,) bool: whether the n-gram that starts at a word ends in the same document."""
        documents = self.documents
        same: np.ndarray = documents[: max(len(documents) - n + 1, 0)] == documents[n - 1 :]
        return same

    def sums(self, values: np.ndarray) -> np.ndarray:
        """(D,) see `document_sums`."""
        return document_sums(values, self.n_words)


def document_sums(values: np.ndarray, n_words: np.ndarray) -> np.ndarray:
    """(D,) sums of `values` (W,) over the words of each document; 0 without words.

    Each document is summed on its own, so that rounding does not depend on the others.
    """
    sums = np.zeros(len(n_words), dtype=values.dtype)
    filled = n_words > 0
    if filled.any():
        starts = np.cumsum(n_words) - n_words
        sums[filled] = np.add.reduceat(values, starts[filled])
    return sums


def word_table(texts: pl.Series, cut: Cut) -> WordTable:
    """Cut lower-cased texts (D,), of which none is null, into words."""
    return words_of(Characters.of(texts.str.to_lowercase()), cut)


def words_of(lowered: Characters, cut: Cut) -> WordTable:
    """Cut texts that are lower-cased already into words."""
    starts, ends = runs(lowered.flags & np.uint8(cut.classes), lowered.bounds)
    n_words = np.diff(np.searchsorted(starts, lowered.bounds))
    return WordTable(lowered, starts, ends, n_words)


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
    return extend_by(keys[:-1], hashes[len(hashes) - len(keys) + 1 :])


def extend_by(keys: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Hashes (N,) of n-grams with the hashes `keys`, each longer by a word with one of `hashes`."""
    # Multiplication by an odd number is a bijection, and makes "a b" differ from "b a". The shift
    # mixes high bits into the low ones, from which callers take buckets.
    mixed = keys * np.uint64(0x9E3779B97F4A7C15) + hashes
    return np.bitwise_xor(mixed, mixed >> np.uint64(29))
