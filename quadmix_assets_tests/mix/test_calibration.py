import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.mix.calibration import RankCalibration
from quadmix_assets.sampling import rank_within_domains

documents = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 6), st.integers(1, 50)), min_size=1, max_size=60
)


def columns(rows: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    domains, scores, tokens = (np.array(column) for column in zip(*rows, strict=True))
    return scores / 7, domains, tokens


@given(documents)
def test_exact_calibration_gives_the_ranks_of_eq_2(rows: list[tuple[int, int, int]]) -> None:
    merged, domains, tokens = columns(rows)
    calibration = RankCalibration.fit(merged, domains, tokens, n_domains=5, max_breakpoints=100)
    assert calibration.max_error == 0.0
    expected = rank_within_domains(merged, domains, tokens)
    np.testing.assert_array_equal(calibration.ranks(merged, domains), expected)


@given(documents)
def test_comes_back_from_its_table(rows: list[tuple[int, int, int]]) -> None:
    merged, domains, tokens = columns(rows)
    calibration = RankCalibration.fit(merged, domains, tokens, n_domains=5, max_breakpoints=100)
    again = RankCalibration.from_frame(calibration.to_frame(), n_domains=5)
    np.testing.assert_array_equal(again.ranks(merged, domains), calibration.ranks(merged, domains))


def test_thinned_calibration_stays_within_its_error() -> None:
    rng = np.random.default_rng(0)
    merged, domains = rng.random(20_000), rng.integers(0, 3, 20_000)
    tokens = rng.integers(1, 2_000, 20_000)
    calibration = RankCalibration.fit(merged, domains, tokens, n_domains=3, max_breakpoints=200)
    error = np.abs(
        calibration.ranks(merged, domains) - rank_within_domains(merged, domains, tokens)
    )
    assert 0 < error.max() <= calibration.max_error <= 1 / 199


@pytest.mark.parametrize("score", [-5.0, 0.5, 9.0])
def test_domain_that_was_not_there_gets_the_worst_rank(score: float) -> None:
    calibration = RankCalibration.fit(
        np.array([0.1, 0.2]), np.array([0, 0]), np.array([3, 4]), n_domains=2, max_breakpoints=10
    )
    assert calibration.ranks(np.array([score]), np.array([1])) == 1.0
