"""Turns a sample of documents, with copies, into the windows of tokens a proxy trains on.

Documents are cut to pieces of at most `context` tokens, at fixed places, and the pieces are read in
shuffled order: a long document does not fill consecutive windows. Every (piece, copy) gets a key
that depends on the document's id, the piece, the copy, the epoch and the seed alone, and the sample
is read in the order of the keys. So what a proxy reads depends neither on the order in which
documents are listed nor on the layout of the file. A separator is put before every piece. Windows
are cut from the stream without padding or overlap. At its end the same pieces are read again in a
new order.

Which pieces are read, if not all, is decided by another key, without copy and epoch: copies and
epochs repeat the same text, as they do in a training on the whole mix.
"""

import numpy as np

from quadmix_assets.splitmix64 import GAMMA, splitmix64
from quadmix_assets.training.reads import Reads
from quadmix_assets.training.token_file import TokenFile

# The number of the epoch in the keys that choose pieces; epochs that are read count from 0.
_CHOICE = -1


class WindowStream:
    """The endless stream of windows of one sample; memory is bounded by its list of pieces.

    Documents without tokens are left out: nothing can be learned from their separators alone.

    Args:
        token_file: the tokens.
        documents: (S,) indices of its documents.
        copies: (S,) how often each document is taken per epoch; 0 leaves it out.
        id_hashes: (S,) uint64 hashes of the documents' ids, distinct.
        seed: of the choice of pieces and of the order.
        context: tokens predicted per window, which holds one more; also the tokens of a piece.
        separator_id: the token put before every piece.
        piece_share: expected share of the pieces that are read; at least one is.
        max_pieces: of one document; None sets no limit.

    Raises:
        ValueError: the arrays do not match, a number of copies is negative, or an option is out of
            range.
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
        piece_share: float = 1.0,
        max_pieces: int | None = None,
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
        if context < 1 or not 0 < piece_share <= 1 or (max_pieces is not None and max_pieces < 1):
            raise ValueError(
                f"context {context} and max_pieces {max_pieces} must be at least 1, and "
                f"piece_share {piece_share} above 0 and at most 1"
            )
        self.window_tokens = context + 1
        self._token_file = token_file
        self._seed = seed
        self._separator = separator_id
        lengths = token_file.n_tokens[documents]
        self.n_tokens_sample = int((lengths * copies).sum())
        # Sorted by id hash, so that ties of keys do not depend on the order of `documents`.
        order = np.lexsort((documents, id_hashes))
        order = order[(copies[order] > 0) & (lengths[order] > 0)]
        documents, copies, lengths = documents[order], copies[order], lengths[order]
        self._id_hashes = id_hashes[order]

        n_pieces = -(-lengths // context)
        of_document = np.repeat(np.arange(len(order)), n_pieces)
        number = np.arange(len(of_document)) - np.repeat(np.cumsum(n_pieces) - n_pieces, n_pieces)
        hashes = piece_hashes(self._id_hashes[of_document], number)
        chosen = _chosen(hashes, of_document, piece_share, max_pieces, seed)
        of_document, number = of_document[chosen], number[chosen]

        ends = np.minimum((number + 1) * context, lengths[of_document])
        self._piece_tokens = ends - number * context
        self._piece_ends = token_file.offsets[documents[of_document]] + ends
        self._piece_hashes = hashes[chosen]
        self._piece_documents = of_document
        times = copies[of_document]
        self._pieces = np.repeat(np.arange(len(chosen)), times)
        self._copy = np.arange(len(self._pieces)) - np.repeat(np.cumsum(times) - times, times)
        self.n_tokens_epoch = int((self._piece_tokens[self._pieces] + 1).sum())
        self.n_tokens_read = 0
        self._epoch = -1
        self._order = np.empty(0, np.int64)
        self._ends = np.zeros(1, np.int64)
        self._position = 0

    @property
    def epochs(self) -> float:
        """Epochs so far: tokens read / tokens of the pieces with copies and separators."""
        return self.n_tokens_read / self.n_tokens_epoch if self.n_tokens_epoch else 0.0

    def read(self, n_windows: int) -> np.ndarray:
        """The next windows, (n_windows, context + 1) in the dtype of the token file.

        Raises:
            ValueError: the sample holds no tokens.
        """
        if not self.n_tokens_epoch:
            raise ValueError("its sample holds no tokens")
        wanted = n_windows * self.window_tokens
        parts = []
        while wanted:
            if self._position == self._ends[-1]:
                self._start_epoch(self._epoch + 1)
            stop = min(self._position + wanted, int(self._ends[-1]))
            parts.append(self._gather(self._position, stop))
            wanted -= stop - self._position
            self._position = stop
        self.n_tokens_read += n_windows * self.window_tokens
        return np.concatenate(parts).reshape(n_windows, self.window_tokens)

    def seek(self, n_tokens: int) -> None:
        """Move to the position after the first `n_tokens` tokens of the stream."""
        self.n_tokens_read = n_tokens
        if not self.n_tokens_epoch or not n_tokens:
            self._epoch, self._position, self._ends = -1, 0, np.zeros(1, np.int64)
            return
        # At the end of an epoch it is still the current one: `read` begins the next.
        epoch, rest = divmod(n_tokens - 1, self.n_tokens_epoch)
        self._start_epoch(epoch)
        self._position = rest + 1

    def tokens_read(self) -> Reads:
        """The tokens of every document that were read so far, without separators."""
        n_documents = len(self._id_hashes)
        totals = np.zeros(n_documents)
        if self._epoch >= 0:
            of_epoch = self._piece_tokens[self._pieces]
            documents = self._piece_documents[self._pieces]
            totals += self._epoch * np.bincount(documents, of_epoch, n_documents)
            # In the epoch that is being read: a piece's first token is its separator.
            n_begun = int(np.searchsorted(self._ends, self._position, side="left")) + 1
            begun, ends = self._order[:n_begun], self._ends[:n_begun]
            tokens = self._piece_tokens[begun] - np.maximum(ends - self._position, 0)
            totals += np.bincount(self._piece_documents[begun], np.maximum(tokens, 0), n_documents)
        was_read = totals > 0
        return Reads(self._id_hashes[was_read], totals[was_read])

    def _start_epoch(self, epoch: int) -> None:
        self._epoch = epoch
        hashes = self._piece_hashes[self._pieces]
        keys = order_keys(hashes, self._copy, epoch=epoch, seed=self._seed)
        self._order = self._pieces[np.argsort(keys, kind="stable")]
        self._ends = np.cumsum(self._piece_tokens[self._order] + 1)
        self._position = 0

    def _gather(self, start: int, stop: int) -> np.ndarray:
        first = np.searchsorted(self._ends, start, side="right")
        last = np.searchsorted(self._ends, stop, side="left")
        ends = self._ends[first : last + 1]
        bounds = np.concatenate([[start], np.minimum(ends, stop)])
        counts = bounds[1:] - bounds[:-1]
        # Per piece: position in the file minus position in the stream.
        shift = self._piece_ends[self._order[first : last + 1]] - ends
        positions = np.arange(start, stop) + np.repeat(shift, counts)
        # A separator's position in the file is meaningless: any valid one does, it is overwritten.
        separators = ends[:-1] - start
        if start in (0, self._ends[first - 1]):
            separators = np.concatenate([[0], separators])
        positions[separators] = 0
        out = self._token_file.tokens[positions]
        out[separators] = self._separator
        return out


def piece_hashes(id_hashes: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Hashes (P,) uint64 of pieces.

    Args:
        id_hashes: (P,) uint64 of the documents' ids.
        numbers: (P,) the piece's number in its document, from 0.
    """
    return splitmix64(splitmix64(id_hashes) + numbers.astype(np.uint64) * GAMMA)


def order_keys(hashes: np.ndarray, copies: np.ndarray, *, epoch: int, seed: int) -> np.ndarray:
    """The keys (P,) uint64 by which the copies of pieces are sorted.

    Args:
        hashes: (P,) uint64 of `piece_hashes`.
        copies: (P,) number of the copy, from 0.
        epoch: from 0.
        seed: of the order.
    """
    salt = splitmix64(
        np.asarray([seed], np.uint64) + splitmix64(np.asarray([epoch + 1], np.uint64))
    )
    numbers = (copies.astype(np.uint64) + np.uint64(1)) * GAMMA
    return splitmix64(splitmix64(hashes ^ salt) + numbers)


def _chosen(
    hashes: np.ndarray,
    of_document: np.ndarray,
    piece_share: float,
    max_pieces: int | None,
    seed: int,
) -> np.ndarray:
    """The pieces that are read, ascending.

    Args:
        hashes: (P,) of the pieces.
        of_document: (P,) the document of each, ascending.
        piece_share: expected share that is chosen.
        max_pieces: of one document, those with the smallest keys.
        seed: of the choice.
    """
    chosen = np.arange(len(hashes))
    if piece_share == 1 and max_pieces is None:
        return chosen
    keys = order_keys(hashes, np.zeros(len(hashes), np.int64), epoch=_CHOICE, seed=seed)
    if piece_share < 1:
        below = np.flatnonzero(keys < np.uint64(int(piece_share * 2.0**64)))
        # A sample that is smaller than the share is represented by its first piece.
        chosen = below if below.size else chosen[np.argsort(keys, kind="stable")[:1]]
    if max_pieces is not None:
        order = chosen[np.lexsort((keys[chosen], of_document[chosen]))]
        of_ordered = of_document[order]
        place = np.arange(len(order)) - np.searchsorted(of_ordered, of_ordered)
        chosen = np.sort(order[place < max_pieces])
    return chosen
