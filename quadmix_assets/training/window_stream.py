"""Turn a sample of documents, with repeats, into the windows of tokens a proxy trains on.

Every (document, copy) of the sample gets a key that depends on the document's id, the copy, the
epoch and the seed alone, and the sample is read in the order of the keys. So all proxies share one
rule of order (QuaDMix section 3.3), and neither the listing order nor the layout of the file can
change what a proxy sees. A separator goes before every document; windows are cut from the stream
end to end, none padded and none overlapping; a sample that runs out is read again in a new order.
"""

import numpy as np

from quadmix_assets.training.token_file import TokenFile

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class WindowStream:
    """The endless stream of windows of one sample; memory is bounded by its document list.

    Args:
        token_file: where the tokens lie.
        documents: (S,) indices of its documents.
        copies: (S,) how often each document is taken in one pass; 0 leaves it out.
        id_hashes: (S,) uint64 hashes of the documents' ids, distinct.
        seed: of the order.
        context: tokens a window predicts; it holds one more.
        separator_id: the token put before every document.

    Documents without tokens are left out: their separators alone would teach nothing.

    Raises ValueError where the arrays do not match or a number of copies is negative.
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
        # In the order of ids, so that even equal keys do not depend on how documents were listed.
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
        """Passes over the sample so far; separators count as tokens of it."""
        return self.n_tokens_read / self.n_tokens_sample if self.n_tokens_sample else 0.0

    def read(self, n_windows: int) -> np.ndarray:
        """The next windows, (n_windows, context + 1) in the dtype of the token file.

        Raises ValueError where the sample holds no tokens.
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
        """Go to where reading `n_tokens` tokens from the start leads."""
        self.n_tokens_read = n_tokens
        if not self.n_tokens_sample or not n_tokens:
            self._epoch, self._position, self._ends = -1, 0, np.zeros(1, np.int64)
            return
        # A pass that has just ended is still the current one: the next begins when it is read.
        passes, rest = divmod(n_tokens - 1, self.n_tokens_sample)
        self._epoch = passes - 1
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
        # Where a token stands in the file less where it stands in the stream, per document.
        shift = self._token_file.offsets[self._order[first : last + 1] + 1] - ends
        places = np.arange(start, stop) + np.repeat(shift, counts)
        # A document's separator stands where the token before its first one lies in the file.
        separators = ends[:-1] - start
        if start in (0, self._ends[first - 1]):
            separators = np.concatenate([[0], separators])
        places[separators] = 0
        out = self._token_file.tokens[places]
        out[separators] = self._separator
        return out


def order_keys(id_hashes: np.ndarray, copies: np.ndarray, *, epoch: int, seed: int) -> np.ndarray:
    """The 64-bit keys, (S,) uint64, that put copies of documents in order.

    id_hashes (S,) uint64; copies (S,) the number of the copy, from 0.
    """
    salt = _mix(np.asarray([seed], np.uint64) + _mix(np.asarray([epoch + 1], np.uint64)))
    return _mix(_mix(id_hashes ^ salt) + (copies.astype(np.uint64) + np.uint64(1)) * _GOLDEN)


def _mix(x: np.ndarray) -> np.ndarray:
    """The output function of SplitMix64 (Steele, Lea and Flood 2014)."""
    x = x + _GOLDEN
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
