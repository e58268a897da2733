"""Unigrams and bigrams of texts in hash buckets, as DSIR counts them (arXiv:2302.03169)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from quadmix_assets.corpus.words import (
    WORDS_AND_MARKS,
    document_sums,
    extend_ngrams,
    text_chunks,
    word_table,
)


@dataclass(frozen=True, eq=False)
class NgramBuckets:
    """The n-grams of D documents of W words.

    Attributes:
        n_words: (D,) int64.
        unigrams: (W,) int32, the bucket of each word.
        bigrams: (W,) int32, the bucket of the bigram that begins at each word; `n_buckets` where a
            document ends with the word.
    """

    n_words: np.ndarray
    unigrams: np.ndarray
    bigrams: np.ndarray

    def sums(self, values: np.ndarray) -> np.ndarray:
        """(D,) the sums of the `values` (n_buckets,) of all n-grams of each document."""
        of_bigrams = np.append(values, 0.0)
        return document_sums(values[self.unigrams] + of_bigrams[self.bigrams], self.n_words)

    def counts(self, n_buckets: int) -> np.ndarray:
        """(n_buckets,) int64: the n-grams in each bucket."""
        unigrams = np.bincount(self.unigrams, minlength=n_buckets)
        return unigrams + np.bincount(self.bigrams, minlength=n_buckets + 1)[:n_buckets]


@dataclass(frozen=True)
class HashedNgrams:
    """The feature: buckets of unigrams and bigrams of lower-cased words and punctuation marks.

    Attributes:
        n_buckets: hash buckets, the same for unigrams and bigrams.
    """

    n_buckets: int

    def of(self, documents: pl.DataFrame) -> list[NgramBuckets]:
        """The n-grams of consecutive parts of the documents: 8 bytes a word."""
        return list(self.of_chunks(documents["text"]))

    def of_chunks(self, texts: pl.Series) -> Iterator[NgramBuckets]:
        """The same one by one, so that no more than one part is held."""
        for chunk in text_chunks(texts):
            table = word_table(chunk, WORDS_AND_MARKS)
            hashes, n_buckets = table.word_hashes, np.uint64(self.n_buckets)
            bigrams = np.full(len(hashes), self.n_buckets, np.int32)
            inside = np.flatnonzero(table.inside(2))
            bigrams[inside] = extend_ngrams(hashes, hashes)[inside] % n_buckets
            unigrams = (hashes % n_buckets).astype(np.int32)
            yield NgramBuckets(table.n_words, unigrams, bigrams)
