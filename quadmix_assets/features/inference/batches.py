"""Groups rows of tokens by length into batches with little padding."""

from collections.abc import Iterator, Sequence

import numpy as np


def length_sorted_batches(
    lengths: Sequence[int] | np.ndarray, batch_tokens: int
) -> Iterator[np.ndarray]:
    """Indices of rows in batches of similar lengths, the longest rows first.

    A batch takes as many rows as keep rows x longest row within `batch_tokens`, and at least one.
    The longest come first, so that a batch that does not fit in memory fails at once and not after
    an hour. Rows of equal length keep their order, so batches depend on the lengths alone.

    Args:
        lengths: (D,) tokens of each row.
        batch_tokens: limit of a batch, padding included.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    start = 0
    while start < len(order):
        longest = max(int(lengths[order[start]]), 1)
        stop = start + max(batch_tokens // longest, 1)
        yield order[start:stop]
        start = stop
