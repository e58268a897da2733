"""Splits the documents of a domain into blocks of similar scores, so that ranking can skip blocks.

Documents are split recursively at the middle of the criterion with the widest range, as in a k-d
tree (Bentley 1975), until they fit one block. The scores of a block are then close together on
every criterion, and the minimum of each criterion gives a tight lower bound of the block's merged
scores for any weights.
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
    """Which rows (d,) of scores (d, N) are the lower half of the widest criterion, whole blocks."""
    extent = scores.max(axis=0) - scores.min(axis=0)
    along = np.ascontiguousarray(scores[:, int(np.argmax(extent))])
    n_blocks = -(-len(along) // BLOCK)
    n_first = n_blocks // 2 * BLOCK
    middle = np.partition(along, n_first - 1)[n_first - 1]
    is_first = along < middle
    ties = np.flatnonzero(along == middle)
    is_first[ties[: n_first - int(is_first.sum())]] = True
    return is_first
