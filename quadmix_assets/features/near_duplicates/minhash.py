"""MinHash signatures by one permutation with bins, and the bands by which near-duplicates meet.

Of two signatures the expected share of equal numbers is the Jaccard similarity of the documents'
shingles. One permutation is cut into k bins, and each bin keeps its least value (Li, Owen and
Zhang 2012, "One Permutation Hashing"), which costs one pass over the shingles whatever k is. A bin
without a shingle takes the value of another bin, which the number of the empty bin determines
(Shrivastava 2017, "Optimal Densification for Fast and Accurate Minwise Hashing").
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from quadmix_assets.features.near_duplicates.shingles import Shingles
from quadmix_assets.sampling.validation import IntArray
from quadmix_assets.splitmix64 import UIntArray, splitmix64

ByteArray = NDArray[np.uint8]

_EMPTY = np.uint32(2**32 - 1)
_HALF = np.uint64(32)
# Share of the pairs at the threshold that meet in a band. Those above it meet almost surely.
_RECALL = 0.95
_BYTE_VALUES = 256


def signatures(shingles: Shingles, k: int) -> NDArray[np.uint32]:
    """The signature of every document: (D, k)."""
    bits = splitmix64(shingles.hashes)
    # The upper half chooses the bin, the lower half is the value.
    bins = ((bits >> _HALF) * np.uint64(k)) >> _HALF
    values = np.minimum(bits.astype(np.uint32), _EMPTY - np.uint32(1))
    found = np.full(shingles.n_documents * k, _EMPTY, dtype=np.uint32)
    np.minimum.at(found, shingles.documents * k + bins.astype(np.int64), values)
    return _filled(found.reshape(-1, k))


def compact(signature: NDArray[np.uint32]) -> ByteArray:
    """The lowest byte of each number (D, k): what `n_equal_at` is estimated from.

    Bytes of different numbers are equal in one of 256 cases, which the estimate accounts for
    (b-bit minwise hashing, Li and Koenig 2010).
    """
    return (signature & np.uint32(_BYTE_VALUES - 1)).astype(np.uint8)


def n_equal_at(similarity: float, k: int) -> int:
    """The least number of equal bytes of two compact signatures that estimates a similarity."""
    by_chance = 1.0 / _BYTE_VALUES
    return int(np.ceil(k * (similarity * (1.0 - by_chance) + by_chance) - 1e-9))


def band_shape(k: int, threshold: float) -> tuple[int, int]:
    """Bands, and numbers of a signature in each, so that documents at the threshold meet in one.

    Documents that agree in all numbers of a band are compared; more numbers make fewer comparisons
    in vain, fewer numbers miss fewer pairs.
    """
    shapes = [(k // rows, rows) for rows in range(1, k + 1)]
    enough = [
        (bands, rows) for bands, rows in shapes if 1.0 - (1.0 - threshold**rows) ** bands >= _RECALL
    ]
    return enough[-1] if enough else shapes[0]


def band_hashes(signature: NDArray[np.uint32], shape: tuple[int, int]) -> UIntArray:
    """A hash of each band of every document: (D, bands)."""
    n_bands, n_rows = shape
    numbers = signature[:, : n_bands * n_rows].reshape(-1, n_bands, n_rows).astype(np.uint64)
    hashes = np.zeros(numbers.shape[:2], dtype=np.uint64)
    for row in range(n_rows):
        hashes = splitmix64(hashes ^ numbers[:, :, row])
    return hashes


def _filled(found: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Signatures whose empty bins have the value of another one."""
    k = found.shape[1]
    result = found.copy()
    documents, bins = np.nonzero(found == _EMPTY)
    for sources in _sources(k):
        if not documents.size:
            break
        values = found[documents, sources[bins]]
        there = values != _EMPTY
        result[documents[there], bins[there]] = values[there]
        documents, bins = documents[~there], bins[~there]
    return result


@lru_cache(maxsize=4)
def _sources(k: int) -> IntArray:
    """(k, k): for every bin (column) the order in which it asks the bins for a value."""
    order: IntArray = np.argsort(splitmix64(np.arange(k * k, dtype=np.uint64)).reshape(k, k), 0)
    return order
