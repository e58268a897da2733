"""Counts and encodes tokens of many texts, as fast as the tokenizer allows."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from tokenizers import Tokenizer

from quadmix_assets.corpus.byte_pairs import BytePairs, UnsupportedTokenizerError, byte_pairs_of
from quadmix_assets.corpus.tokenizer import count_tokens, encode, text_pieces
from quadmix_assets.sampling.validation import IntArray

_LOG = logging.getLogger(__name__)
# What one thread takes at once: enough that handing it over costs nothing.
_CHARACTERS_AT_ONCE = 1 << 18

_T = TypeVar("_T")


class TokenEncoder:
    """Token counts and ids as the tokenizers library gives them, by tiktoken where it can be used.

    Making one takes some tenths of a second: make it once, and use it for many shards.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Encode with `tokenizer`, which `load_tokenizer` or `project_tokenizer` returned.

        Logs why, if texts are encoded by the tokenizers library itself.
        """
        self.tokenizer = tokenizer
        self._byte_pairs: BytePairs | None = None
        try:
            self._byte_pairs = byte_pairs_of(tokenizer)
        except UnsupportedTokenizerError as reason:
            _LOG.info(
                "the tokenizer is not replaced by tiktoken, which is several times faster: %s",
                reason,
            )

    @property
    def uses_tiktoken(self) -> bool:
        """Whether texts are encoded by tiktoken."""
        return self._byte_pairs is not None

    @property
    def vocab_size(self) -> int:
        """The number of the tokenizer's tokens."""
        n_tokens: int = self.tokenizer.get_vocab_size()
        return n_tokens

    def count(self, texts: Sequence[str]) -> IntArray:
        """Number of tokens of each text, without special tokens: (D,) int64."""
        if self._byte_pairs is None:
            return count_tokens(self.tokenizer, texts)
        count = self._byte_pairs.count
        counts = _of_each(lambda text: sum(map(count, text_pieces(text))), texts)
        return np.fromiter(counts, np.int64, len(texts))

    def encode(self, texts: Sequence[str]) -> list[IntArray]:
        """Token ids of each text, without special tokens: D arrays of int32."""
        if self._byte_pairs is None:
            return encode(self.tokenizer, texts)
        of_piece = self._byte_pairs.encode

        def of_text(text: str) -> IntArray:
            pieces = [of_piece(piece) for piece in text_pieces(text)]
            return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

        return list(_of_each(of_text, texts))


def _of_each(function: Callable[[str], _T], texts: Sequence[str]) -> Iterator[_T]:
    """`function` of every text, in order, computed by as many threads as there are cores."""
    parts = list(_parts(texts))
    n_threads = min(os.cpu_count() or 1, len(parts))
    if n_threads <= 1:
        yield from map(function, texts)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        for results in pool.map(lambda part: [function(text) for text in part], parts):
            yield from results


def _parts(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    start = n_characters = 0
    for stop, text in enumerate(texts, start=1):
        n_characters += len(text)
        if n_characters >= _CHARACTERS_AT_ONCE:
            yield texts[start:stop]
            start, n_characters = stop, 0
    if start < len(texts):
        yield texts[start:]
