"""Signatures estimate the Jaccard similarity; bands let similar documents meet."""

import numpy as np
import polars as pl
import pytest

from quadmix_assets.features.near_duplicates.minhash import (
    band_hashes,
    band_shape,
    compact,
    n_equal_at,
    signatures,
)
from quadmix_assets.features.near_duplicates.shingles import Shingles, shingles_of
from quadmix_assets_tests.features.near_duplicates.texts import jaccard, runs_of, some_pool

K = 128


def signed(texts: pl.Series, k: int = K) -> np.ndarray:
    return np.concatenate([signatures(part, k) for part in shingles_of(texts, 5)])


def sets_with(rng: np.random.Generator, size: int, shared: int, n: int) -> Shingles:
    """n pairs of random sets of `size` numbers, of which `shared` are in both."""
    numbers = rng.integers(0, 2**64, (n, 2 * size - shared), dtype=np.uint64)
    hashes = np.stack([numbers[:, :size], numbers[:, size - shared :]], axis=1)
    return Shingles(hashes.ravel(), np.repeat(np.arange(2 * n), size), 2 * n)


@pytest.mark.parametrize("size", [8, 20, 100, 1_000])
@pytest.mark.parametrize("similarity", [0.3, 0.8])
def test_equal_numbers_estimate_the_similarity_without_bias(size: int, similarity: float) -> None:
    n, shared = 400, round(2 * size * similarity / (1 + similarity))
    true = shared / (2 * size - shared)
    found = signatures(sets_with(np.random.default_rng(1), size, shared, n), K)
    estimates = (found[::2] == found[1::2]).mean(axis=1)
    assert abs(estimates.mean() - true) < 4 * estimates.std() / np.sqrt(n)
    # Little more than of K independent permutations, also where most bins are empty.
    assert estimates.std() < 1.35 * np.sqrt(true * (1 - true) / K)


def test_signatures_of_real_words_are_near_the_plain_computation() -> None:
    texts = some_pool()
    found, runs = signed(texts, 1_024), [runs_of(text, 5) for text in texts]
    rng = np.random.default_rng(0)
    pairs = [(n, n + step) for n in range(len(texts) - 4) for step in (1, 4)]
    pairs += [tuple(rng.integers(0, len(texts), 2)) for _ in range(50)]
    errors = [(found[a] == found[b]).mean() - jaccard(runs[a], runs[b]) for a, b in pairs]
    assert np.abs(errors).max() < 0.08
    assert abs(np.mean(errors)) < 0.01


def test_case_punctuation_and_chunks_change_nothing() -> None:
    texts = pl.Series(
        ["One two, three four five six!", "one two three four five  SIX", "a b", "A b"]
    )
    found = signed(texts)
    assert (found[0] == found[1]).all() and (found[2] == found[3]).all()
    assert (found[0] != found[2]).mean() > 0.9
    alone = np.concatenate([signed(texts[n : n + 1]) for n in range(4)])
    assert (alone == found).all()


def test_texts_without_words_are_equal_only_if_they_are() -> None:
    found = signed(pl.Series(["!!!", "!!!", "?", "中文", "中文"]))
    assert (found[0] == found[1]).all() and (found[3] == found[4]).all()
    assert (found[0] == found[2]).mean() < 0.1


def test_compact_signatures_count_chance() -> None:
    rng = np.random.default_rng(2)
    found = compact(signatures(sets_with(rng, 500, 0, 300), K))
    equal = (found[::2] == found[1::2]).sum(axis=1)
    assert equal.mean() == pytest.approx(n_equal_at(0.0, K), abs=0.6)
    assert n_equal_at(1.0, K) == K
    shared = round(2 * 500 * 0.8 / 1.8)
    found = compact(signatures(sets_with(rng, 500, shared, 400), K))
    equal = (found[::2] == found[1::2]).sum(axis=1)
    assert 0.35 < (equal >= n_equal_at(0.8, K)).mean() < 0.65


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9])
def test_documents_at_the_threshold_meet_in_a_band(threshold: float) -> None:
    shape = band_shape(K, threshold)
    assert shape[0] * shape[1] <= K
    shared = round(2 * 500 * threshold / (1 + threshold))
    found = signatures(sets_with(np.random.default_rng(3), 500, shared, 500), K)
    bands = band_hashes(found, shape)
    assert (bands[::2] == bands[1::2]).any(axis=1).mean() > 0.92
    rows = found[:, : shape[0] * shape[1]].reshape(len(found), *shape)
    agree = (rows[::2] == rows[1::2]).all(axis=2)
    assert ((bands[::2] == bands[1::2]) == agree).all()


def test_few_numbers_still_have_a_band() -> None:
    assert band_shape(16, 0.05) == (16, 1)
