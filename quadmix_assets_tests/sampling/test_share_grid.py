"""Drift from counts, against the distance of Kolmogorov and Smirnov by brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.sampling import TokenShareTable
from quadmix_assets.sampling.share_grid import ShareGrid

Rows = list[tuple[int, int]]

documents = st.lists(st.tuples(st.integers(-4, 4), st.integers(1, 30)), min_size=1, max_size=40)


def arrays(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    values, n_tokens = (np.array(column) for column in zip(*rows, strict=True))
    return values.astype(float), n_tokens


def drift(
    fitted: tuple[np.ndarray, np.ndarray],
    *shards: tuple[np.ndarray, np.ndarray],
    breakpoints: int = 10_000,
    points: int = 10_000,
) -> float:
    """As the checks do it: counts of every shard are added up."""
    table = TokenShareTable.fit(*fitted, max_breakpoints=breakpoints)
    grid = ShareGrid.of(table, points)
    return grid.distance(np.sum([grid.tokens_per_cell(*shard) for shard in shards], axis=0))


def share_up_to(values: np.ndarray, n_tokens: np.ndarray, value: float) -> float:
    return float(n_tokens[values <= value].sum() / n_tokens.sum())


@given(documents, documents)
def test_tokens_are_counted_at_and_between_cuts(fitted: Rows, rows: Rows) -> None:
    grid = ShareGrid.of(TokenShareTable.fit(*arrays(fitted), max_breakpoints=100), 100)
    cuts = grid.cuts.value.tolist()
    expected = [0] * grid.n_cells
    for value, n_tokens in rows:
        expected[sum(cut < value for cut in cuts) + sum(cut <= value for cut in cuts)] += n_tokens
    assert grid.tokens_per_cell(*arrays(rows)).tolist() == expected


@given(documents)
def test_no_drift_on_the_pool_itself(rows: Rows) -> None:
    assert drift(arrays(rows), arrays(rows)) == 0.0


@given(documents, documents)
def test_drift_is_the_distance_of_kolmogorov_and_smirnov(first: Rows, added: Rows) -> None:
    """The largest gap between the shares of tokens up to any value, by brute force."""
    best = min(value for value, _ in first)
    added = [(max(value, best), n) for value, n in added]
    old, now = arrays(first), arrays(first + added)
    gaps = [abs(share_up_to(*old, v) - share_up_to(*now, v)) for v in np.arange(-5, 5) + 0.5]
    assert drift(old, now) == pytest.approx(max(gaps), abs=1e-12)
    assert drift(old, arrays(first), arrays(added)) == drift(old, now), "shards change nothing"


@given(documents, documents)
def test_drift_is_how_far_shares_are_off(first: Rows, added: Rows) -> None:
    """A document below all fitted ones has the share of the lowest of them."""
    old, now = arrays(first), arrays(first + added)
    table = TokenShareTable.fit(*old, max_breakpoints=100)
    off = np.abs(table(now[0]) - [share_up_to(*now, value) for value in now[0]])
    lowest = share_up_to(*now, now[0].min())
    assert off.max() - 1e-12 <= drift(old, now) <= off.max() + lowest + 1e-12


@given(documents, documents, st.integers(2, 6), st.integers(2, 4))
def test_few_points_are_off_by_no_more_than_they_say(
    first: Rows, now: Rows, breakpoints: int, points: int
) -> None:
    old, new = arrays(first), arrays(now)
    grid = ShareGrid.of(TokenShareTable.fit(*old, max_breakpoints=breakpoints), points)
    exact, found = drift(old, new), grid.distance(grid.tokens_per_cell(*new))
    assert found - 1e-12 <= exact <= found + grid.max_error + 1e-12


def test_drift_grows_with_the_share_of_shifted_documents() -> None:
    rng = np.random.default_rng(0)
    values, n_tokens = rng.normal(size=2_000), rng.integers(1, 500, 2_000)
    shifted = rng.normal(3.0, size=2_000)
    found = []
    for n in (0, 100, 500, 2_000):
        now = np.concatenate([values, shifted[:n]]), np.concatenate([n_tokens, n_tokens[:n]])
        found.append(drift((values, n_tokens), now))
    assert found[0] == 0.0
    assert found == sorted(found)
    # Half of the tokens lie three standard deviations higher: half of erf(1.5 / sqrt 2) = 0.866.
    assert found[-1] == pytest.approx(0.433, abs=0.03)


def test_a_thousand_points_of_a_large_table() -> None:
    rng = np.random.default_rng(1)
    old = rng.normal(size=50_000), rng.integers(1, 500, 50_000)
    new = rng.normal(0.1, size=50_000), rng.integers(1, 500, 50_000)
    exact = drift(old, new, breakpoints=100_000, points=100_000)
    assert drift(old, new, points=1_000) == pytest.approx(exact, abs=1 / 999)
    assert drift(old, old, points=1_000) < 1e-12


def test_pools_without_tokens() -> None:
    nothing = np.empty(0), np.empty(0, np.int64)
    some = np.zeros(3), np.ones(3, np.int64)
    assert drift(nothing, nothing) == 0.0
    assert drift(some, nothing) == 0.0
    assert drift(nothing, some) == 1.0
