"""Clusters of near-duplicates: documents that are similar enough, directly or through others."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from quadmix_assets.features.near_duplicates.minhash import ByteArray, n_equal_at
from quadmix_assets.sampling.validation import IntArray
from quadmix_assets.splitmix64 import UIntArray

# Documents of a band that are compared with all others of it. More are needed only where many
# documents agree in a band without being similar; most of those meet again in other bands.
_LEADERS = 32
_PAIRS = 1 << 16


def find_clusters(
    id_hashes: UIntArray,
    bands: Callable[[int], UIntArray],
    n_bands: int,
    signatures: Callable[[IntArray], ByteArray],
    threshold: float,
) -> UIntArray:
    """The cluster of each of D documents, named by the least id hash in it.

    Documents that agree in a band are candidates. The one with the least id hash is compared with
    the others by their signatures, then the least of those it is not similar to, and so on, so that
    the result does not depend on the order of the documents. One band at a time is in memory, and
    the signatures of candidates.

    Args:
        id_hashes: (D,) hashes of the ids, no two alike.
        bands: gives the hashes (D,) of the band of a number; asked for each twice.
        n_bands: how many there are.
        signatures: gives the compact signatures (n, k) of documents by their positions (n,).
        threshold: least similarity.

    Returns:
        (D,) uint64; documents without near-duplicates have their own id hash.
    """
    met = np.zeros(len(id_hashes), dtype=bool)
    for number in range(n_bands):
        met |= _is_shared(bands(number))
    candidates = np.flatnonzero(met)
    candidates = candidates[np.argsort(id_hashes[candidates])]
    clusters = id_hashes.copy()
    if not candidates.size:
        return clusters
    compared = signatures(candidates)
    needed = n_equal_at(threshold, compared.shape[1])
    groups = np.arange(len(candidates))
    for number in range(n_bands):
        edges = list(_similar(bands(number)[candidates], groups, compared, needed))
        groups = _joined(groups, edges)
    # Candidates are in the order of their id hashes: the first of a group has the least one.
    first = np.full(len(candidates), len(candidates))
    np.minimum.at(first, groups, np.arange(len(candidates)))
    clusters[candidates] = id_hashes[candidates[first[groups]]]
    return clusters


def _is_shared(hashes: UIntArray) -> NDArray[np.bool_]:
    """(D,) whether another document has the same hash."""
    order = np.argsort(hashes)
    same = hashes[order[1:]] == hashes[order[:-1]]
    shared = np.zeros(len(hashes), dtype=bool)
    shared[order[1:][same]] = True
    shared[order[:-1][same]] = True
    return shared


def _similar(
    band: UIntArray, groups: IntArray, compared: ByteArray, needed: int
) -> Iterator[tuple[IntArray, IntArray]]:
    """Pairs of candidates of a band that are similar; groups that are joined are not compared."""
    members = np.argsort(band, kind="stable")
    for _ in range(_LEADERS):
        buckets = band[members]
        is_leader = np.ones(len(members), dtype=bool)
        is_leader[1:] = buckets[1:] != buckets[:-1]
        leaders = members[np.flatnonzero(is_leader)[np.cumsum(is_leader) - 1]]
        members, leaders = members[~is_leader], leaders[~is_leader]
        if not members.size:
            return
        similar = groups[members] == groups[leaders]
        new = np.flatnonzero(~similar)
        similar[new] = _n_equal(compared, members[new], leaders[new]) >= needed
        yield leaders[similar], members[similar]
        members = members[~similar]


def _n_equal(compared: ByteArray, some: IntArray, others: IntArray) -> IntArray:
    """(n,) equal bytes of the signatures of n pairs."""
    equal = np.empty(len(some), dtype=np.int64)
    for start in range(0, len(some), _PAIRS):
        part = slice(start, start + _PAIRS)
        equal[part] = (compared[some[part]] == compared[others[part]]).sum(axis=1)
    return equal


def _joined(groups: IntArray, edges: list[tuple[IntArray, IntArray]]) -> IntArray:
    """The groups (n,) of n candidates, after joining those of similar ones."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not edges:
        return groups
    left, right = (groups[np.concatenate(side)] for side in zip(*edges, strict=True))
    n = len(groups)
    graph = coo_array((np.ones(len(left), bool), (left, right)), shape=(n, n))
    joined: IntArray = connected_components(graph, directed=False)[1][groups]
    return joined.astype(np.int64)
