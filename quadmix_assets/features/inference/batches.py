"""Cuts rows of tokens into batches that pad little."""

from collections.abc import Iterator, Sequence

import numpy as np


def length_sorted_batches(
    lengths: Sequence[int] | np.ndarray, batch_tokens: int
) -> Iterator[np.ndarray]:
    """Indices of rows in batches of similar lengths, the longest rows first.

    A batch holds as many rows as keep rows x longest row within `batch_tokens`, and at least one.
    The longest come first, so that a batch that is too large for the memory fails at once and not
    after an hour. Equal lengths keep their order: the batches depend on the lengths alone.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    start = 0
    while start < len(order):
        longest = max(int(lengths[order[start]]), 1)
        stop = start + max(batch_tokens // longest, 1)
        yield order[start:stop]
        start = stop
