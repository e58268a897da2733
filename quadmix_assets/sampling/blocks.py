"""Documents of one domain in small blocks of neighbours, so that whole blocks can be passed over.

Documents are split again and again at the middle of the criterion on which they differ most, as in
a k-d tree (Bentley 1975), until no more than a block is left. The documents of a block then lie
close together on every criterion, and the least score of each criterion is a bound that tells most
of them apart from the best of the domain, whatever the weights are.
"""

import numpy as np

from quadmix_assets.sampling.validation import FloatArray, IntArray

BLOCK = 256


def blocks_of(sigma: FloatArray, documents: IntArray) -> list[IntArray]:
    """The documents of a domain in blocks; all but the last hold `BLOCK` of them.

    The same documents give the same blocks on every machine: where scores tie, the document that
    comes first in `documents` goes into the earlier block.

    Args:
        sigma: (D, N) scores of the whole pool.
        documents: (d,) rows of sigma that belong to the domain.
    """
    blocks = []
    waiting = [documents]
    while waiting:
        rows = waiting.pop()
        if len(rows) <= BLOCK:
            blocks.append(rows)
            continue
        is_first = _first_half(sigma[rows])
        waiting += [rows[~is_first], rows[is_first]]
    return blocks


def _first_half(scores: FloatArray) -> np.ndarray:
    """Which rows (d,) of scores (d, N) are the lower half, in whole blocks, on the widest axis."""
    extent = scores.max(axis=0) - scores.min(axis=0)
    along = np.ascontiguousarray(scores[:, int(np.argmax(extent))])
    n_blocks = -(-len(along) // BLOCK)
    n_first = n_blocks // 2 * BLOCK
    middle = np.partition(along, n_first - 1)[n_first - 1]
    is_first = along < middle
    ties = np.flatnonzero(along == middle)
    is_first[ties[: n_first - int(is_first.sum())]] = True
    return is_first
