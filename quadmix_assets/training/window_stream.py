"""Turns a sample of documents, with copies, into the windows of tokens a proxy trains on.

Every (document, copy) of the sample gets a key that depends on the document's id, the copy, the
epoch and the seed alone, and the sample is read in the order of the keys. So what a proxy reads
depends neither on the order in which documents are listed nor on the layout of the file. A
separator is put before every document. Windows are cut from the stream without padding or overlap.
At its end the sample is read again in a new order.
"""

import numpy as np

from quadmix_assets.splitmix64 import GAMMA, splitmix64
from quadmix_assets.training.token_file import TokenFile


class WindowStream:
    """The endless stream of windows of one sample; memory is bounded by its list of documents.

    Documents without tokens are left out: nothing can be learned from their separators alone.

    Args:
        token_file: the tokens.
        documents: (S,) indices of its documents.
        copies: (S,) how often each document is taken per epoch; 0 leaves it out.
        id_hashes: (S,) uint64 hashes of the documents' ids, distinct.
        seed: of the order.
        context: tokens predicted per window, which holds one more.
        separator_id: the token put before every document.

    Raises:
        ValueError: the arrays do not match, or a number of copies is negative.
    """

    def __init__(
        self,
        token_file: TokenFile,
        documents: np.ndarray,
        copies: np.ndarray,
        id_hashes: np.ndarray,
        *,
        seed: int,
        context: int,
        separator_id: int,
    ) -> None:
        documents, copies = np.asarray(documents, np.int64), np.asarray(copies, np.int64)
        id_hashes = np.asarray(id_hashes, np.uint64)
        if not documents.shape == copies.shape == id_hashes.shape or documents.ndim != 1:
            raise ValueError(
                "documents, copies and id_hashes must be one-dimensional and of one length, not "
                f"{documents.shape}, {copies.shape} and {id_hashes.shape}"
            )
        if copies.size and copies.min() < 0:
            raise ValueError("copies must not be negative")
        self.window_tokens = context + 1
        self._token_file = token_file
        self._seed = seed
        self._separator = separator_id
        # Sorted by id hash, so that ties of keys do not depend on the order of `documents`.
        order = np.lexsort((documents, id_hashes))
        times = copies[order] * (token_file.n_tokens[documents[order]] > 0)
        self._documents = np.repeat(documents[order], times)
        self._hashes = np.repeat(id_hashes[order], times)
        firsts = np.repeat(np.cumsum(times) - times, times)
        self._copy = np.arange(times.sum()) - firsts
        self.n_tokens_sample = int((token_file.n_tokens[self._documents] + 1).sum())
        self.n_tokens_read = 0
        self._epoch = -1
        self._ends = np.zeros(1, np.int64)
        self._position = 0

    @property
    def epochs(self) -> float:
        """Epochs so far: tokens read / tokens of the sample, separators included."""
        return self.n_tokens_read / self.n_tokens_sample if self.n_tokens_sample else 0.0

    def read(self, n_windows: int) -> np.ndarray:
        """The next windows, (n_windows, context + 1) in the dtype of the token file.

        Raises:
            ValueError: the sample holds no tokens.
        """
        if not self.n_tokens_sample:
            raise ValueError("its sample holds no tokens")
        wanted = n_windows * self.window_tokens
        parts = []
        while wanted:
            if self._position == self._ends[-1]:
                self._start_epoch()
            stop = min(self._position + wanted, int(self._ends[-1]))
            parts.append(self._gather(self._position, stop))
            wanted -= stop - self._position
            self._position = stop
        self.n_tokens_read += n_windows * self.window_tokens
        return np.concatenate(parts).reshape(n_windows, self.window_tokens)

    def seek(self, n_tokens: int) -> None:
        """Move to the position after the first `n_tokens` tokens of the stream."""
        self.n_tokens_read = n_tokens
        if not self.n_tokens_sample or not n_tokens:
            self._epoch, self._position, self._ends = -1, 0, np.zeros(1, np.int64)
            return
        # At the end of an epoch it is still the current one: `read` begins the next.
        n_epochs, rest = divmod(n_tokens - 1, self.n_tokens_sample)
        self._epoch = n_epochs - 1
        self._start_epoch()
        self._position = rest + 1

    def _start_epoch(self) -> None:
        self._epoch += 1
        keys = order_keys(self._hashes, self._copy, epoch=self._epoch, seed=self._seed)
        self._order = self._documents[np.argsort(keys, kind="stable")]
        self._ends = np.cumsum(self._token_file.n_tokens[self._order] + 1)
        self._position = 0

    def _gather(self, start: int, stop: int) -> np.ndarray:
        first = np.searchsorted(self._ends, start, side="right")
        last = np.searchsorted(self._ends, stop, side="left")
        ends = self._ends[first : last + 1]
        bounds = np.concatenate([[start], np.minimum(ends, stop)])
        counts = bounds[1:] - bounds[:-1]
        # Per document: position in the file minus position in the stream.
        shift = self._token_file.offsets[self._order[first : last + 1] + 1] - ends
        positions = np.arange(start, stop) + np.repeat(shift, counts)
        # A separator's position in the file is meaningless: any valid one does, it is overwritten.
        separators = ends[:-1] - start
        if start in (0, self._ends[first - 1]):
            separators = np.concatenate([[0], separators])
        positions[separators] = 0
        out = self._token_file.tokens[positions]
        out[separators] = self._separator
        return out


def order_keys(id_hashes: np.ndarray, copies: np.ndarray, *, epoch: int, seed: int) -> np.ndarray:
    """The keys (S,) uint64 by which the copies of documents are sorted.

    Args:
        id_hashes: (S,) uint64.
        copies: (S,) number of the copy, from 0.
        epoch: from 0.
        seed: of the order.
    """
    salt = splitmix64(
        np.asarray([seed], np.uint64) + splitmix64(np.asarray([epoch + 1], np.uint64))
    )
    numbers = (copies.astype(np.uint64) + np.uint64(1)) * GAMMA
    return splitmix64(splitmix64(id_hashes ^ salt) + numbers)
