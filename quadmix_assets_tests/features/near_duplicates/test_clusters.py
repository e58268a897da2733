"""Clusters against all pairs compared one by one."""

import numpy as np
import polars as pl
from scipy.sparse.csgraph import connected_components

from quadmix_assets.features.near_duplicates.clusters import find_clusters
from quadmix_assets.features.near_duplicates.minhash import (
    band_hashes,
    band_shape,
    compact,
    n_equal_at,
    signatures,
)
from quadmix_assets.features.near_duplicates.shingles import shingles_of
from quadmix_assets.sampling import hash_ids
from quadmix_assets_tests.features.near_duplicates.texts import jaccard, runs_of, some_pool

K, THRESHOLD = 256, 0.8
TEXTS = some_pool()
IDS = hash_ids([f"doc-{n}" for n in range(len(TEXTS))])


def clusters_of(
    texts: pl.Series, id_hashes: np.ndarray, threshold: float = THRESHOLD
) -> np.ndarray:
    signed = np.concatenate([signatures(part, K) for part in shingles_of(texts, 5)])
    shape = band_shape(K, threshold)
    bands, packed = band_hashes(signed, shape), compact(signed)
    return find_clusters(
        id_hashes, lambda n: bands[:, n], shape[0], lambda rows: packed[rows], threshold
    )


def test_clusters_are_those_of_all_pairs() -> None:
    """Similarities far enough from the threshold decide the same way as the plain computation."""
    runs = [runs_of(text, 5) for text in TEXTS]
    n = len(TEXTS)
    similar = np.array([[jaccard(runs[a], runs[b]) for b in range(n)] for a in range(n)])
    found = clusters_of(TEXTS, IDS)
    together = found[:, None] == found[None, :]
    assert together[similar > 0.88].all()
    reachable = connected_components(similar > 0.72, directed=False)[1]
    assert not together[reachable[:, None] != reachable[None, :]].any()
    assert (similar > 0.88).sum() > n + 100 and (similar[~np.eye(n, dtype=bool)] < 0.72).any()


def test_the_estimate_decides_on_every_pair_that_meets() -> None:
    signed = np.concatenate([signatures(part, K) for part in shingles_of(TEXTS, 5)])
    packed = compact(signed)
    equal = (packed[:, None, :] == packed[None, :, :]).sum(axis=2) >= n_equal_at(THRESHOLD, K)
    expected = connected_components(equal, directed=False)[1]
    found = clusters_of(TEXTS, IDS)
    joined = found[:, None] == found[None, :]
    apart = expected[:, None] != expected[None, :]
    assert not joined[apart].any()
    # A pair at the threshold may meet in no band.
    assert joined[~apart].mean() > 0.98


def test_the_least_id_hash_names_a_cluster() -> None:
    found = clusters_of(TEXTS, IDS)
    for name in np.unique(found):
        assert IDS[found == name].min() == name
    assert 30 <= len(found) - len(np.unique(found)) <= 120


def test_the_order_of_documents_changes_nothing() -> None:
    found = dict(zip(IDS.tolist(), clusters_of(TEXTS, IDS).tolist(), strict=True))
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(TEXTS))
        again = clusters_of(TEXTS.gather(order), IDS[order])
        assert dict(zip(IDS[order].tolist(), again.tolist(), strict=True)) == found


def test_many_copies_of_one_text_are_one_cluster() -> None:
    texts = pl.Series(["the same page " * 20] * 500 + ["quite another text " * 20])
    hashes = hash_ids([str(n) for n in range(501)])
    found = clusters_of(texts, hashes)
    assert len(np.unique(found[:500])) == 1 and found[500] != found[0]


def test_documents_of_a_band_that_are_not_similar_are_told_apart() -> None:
    """Thirty families in one band: each has a leader of its own."""
    rng = np.random.default_rng(0)
    packed = np.repeat(rng.integers(0, 256, (30, K)).astype(np.uint8), 3, axis=0)
    hashes = rng.permutation(10_000)[:90].astype(np.uint64)
    one_band = np.zeros(90, dtype=np.uint64)
    found = find_clusters(hashes, lambda _: one_band, 1, lambda rows: packed[rows], 0.8)
    assert (found == np.repeat(hashes.reshape(30, 3).min(axis=1), 3)).all()


def test_an_empty_pool_has_no_clusters() -> None:
    none = np.zeros(0, dtype=np.uint64)
    empty = np.zeros((0, K), np.uint8)
    assert find_clusters(none, lambda _: none, 3, lambda _: empty, 0.8).size == 0
