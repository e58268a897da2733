from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from quadmix_assets.sampling import PoolIndex, Theta, sample_parameters
from quadmix_assets_tests.sampling.pools import N_DOMAINS, Pool, large_pool, pools, thetas


def index_of(pool: Pool, n_domains: int = N_DOMAINS) -> PoolIndex:
    return PoolIndex.build(pool.sigma, pool.domains, pool.tokens, n_domains)


def check_best(pool: Pool, index: PoolIndex, theta: Theta) -> None:
    """The same documents, merged scores and ranks as by Equations 1 and 2, to the last bit."""
    merged, ranks = pool.ranked(theta)
    best = index.best(theta)
    documents = index.documents[best.places]
    inside = np.flatnonzero(ranks <= theta.omega[pool.domains])
    np.testing.assert_array_equal(np.sort(documents), inside)
    np.testing.assert_array_equal(best.domains, pool.domains[documents])
    np.testing.assert_array_equal(best.ranks, ranks[documents])
    assert best.merged.tobytes() == merged[documents].tobytes()
    order = np.lexsort((best.merged, best.domains))
    np.testing.assert_array_equal(best.merged[order], best.merged)


@settings(max_examples=200, deadline=None)
@given(pools, thetas)
def test_best_are_the_ranks_up_to_omega(pool: Pool, theta: Theta) -> None:
    check_best(pool, index_of(pool), theta)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("omega_max", [0.1, 1.0])
def test_large_pools(ties: bool, omega_max: float) -> None:
    pool = large_pool(np.random.default_rng(0), 60_000, 6, ties=ties)
    index = index_of(pool, 6)
    for theta in sample_parameters(12, 3, 6, seed=1, omega_max=omega_max):
        check_best(pool, index, theta)


def test_only_part_of_a_large_pool_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = large_pool(np.random.default_rng(0), 100_000, 2, ties=False)
    index = index_of(pool, 2)
    seen: list[int] = []
    rank = PoolIndex._rank

    def spy(self: PoolIndex, places: np.ndarray, *arguments: np.ndarray) -> object:
        seen.append(len(places))
        return rank(self, places, *arguments)

    monkeypatch.setattr(PoolIndex, "_rank", spy)
    for theta in sample_parameters(10, 3, 2, seed=1):
        index.best(theta)
    assert max(seen) < 25_000


def test_a_limit_that_is_too_low_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample is told to aim far too low; some rounds later the result is right anyhow."""
    pool = large_pool(np.random.default_rng(2), 60_000, 3, ties=False)
    index = index_of(pool, 3)
    monkeypatch.setattr("quadmix_assets.sampling.pool_index._MARGIN", -1.0)
    rounds: list[float] = []
    limits = PoolIndex._limits

    def spy(self: PoolIndex, theta: Theta, margin: float) -> np.ndarray:
        rounds.append(margin)
        return limits(self, theta, abs(margin) - 2)

    monkeypatch.setattr(PoolIndex, "_limits", spy)
    check_best(pool, index, sample_parameters(1, 3, 3, seed=0, omega_max=0.5)[0])
    assert len(rounds) > 1


def test_limits_that_are_known_need_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = large_pool(np.random.default_rng(3), 20_000, 3, ties=False)
    index = index_of(pool, 3)
    theta = sample_parameters(1, 3, 3, seed=0, omega_max=0.5)[0]
    best = index.best(theta)
    limits = np.full(3, -np.inf)
    limits[best.domains] = best.merged
    monkeypatch.delattr(PoolIndex, "_limits")
    again = index.best(theta, limits)
    for name in ("places", "domains", "merged", "ranks"):
        np.testing.assert_array_equal(getattr(again, name), getattr(best, name))


@pytest.mark.parametrize("n", [0, 1, 3_000])
def test_files_hold_the_index(tmp_path: Path, n: int) -> None:
    pool = large_pool(np.random.default_rng(4), n, 5, ties=False)
    index = index_of(pool, 5)
    index.save(tmp_path / "index")
    opened = PoolIndex.open(tmp_path / "index")
    assert opened.n_documents == index.n_documents == n
    assert (opened.n_criteria, opened.n_domains) == (3, 5)
    check_best(pool, opened, sample_parameters(1, 3, 5, seed=0, omega_max=0.5)[0])


def test_same_pool_same_bytes(tmp_path: Path) -> None:
    pool = large_pool(np.random.default_rng(5), 5_000, 4, ties=True)
    for name in "ab":
        index_of(pool, 4).save(tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_what_does_not_fit_is_refused() -> None:
    pool = large_pool(np.random.default_rng(6), 10, 2, ties=False)
    with pytest.raises(ValueError, match=r"theta is for \(3, 3\).*the pool has \(2, 3\)"):
        index_of(pool, 2).best(sample_parameters(1, 3, 3, seed=0)[0])
    with pytest.raises(ValueError, match="domains"):
        index_of(pool._replace(domains=pool.domains + 5), 2)
    with pytest.raises(ValueError, match=r"sigma_scores\[0, 0\] is nan"):
        index_of(pool._replace(sigma=pool.sigma * np.nan), 2)
