import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from quadmix_assets.comparison.paired import BOTH, NOTHING, SEEDS, SETS, holm, paired_gain


def covered(
    n_sets: int, n_seeds: int, *, of_sets: float, of_seeds: float, noise: float, drawn: bool = True
) -> float:
    """How often the interval holds the true gain of 1, over simulated comparisons."""
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(1_000):
        differences = (
            1.0
            + of_sets * rng.normal(size=(n_sets, 1))
            + of_seeds * rng.normal(size=(1, n_seeds))
            + noise * rng.normal(size=(n_sets, n_seeds))
        )
        found = paired_gain(differences, sets_are_drawn=drawn)
        hits += found.low <= 1.0 <= found.high
    return hits / 1_000


@pytest.mark.parametrize(
    ("of_sets", "of_seeds", "noise"),
    [(1.0, 0.3, 0.3), (0.3, 1.0, 0.3), (1.0, 1.0, 1.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.1)],
)
def test_intervals_hold_the_truth_nine_times_in_ten(
    of_sets: float, of_seeds: float, noise: float
) -> None:
    """With three seeds and six sets, whichever of them differ; never much less than 90 %."""
    found = covered(6, 3, of_sets=of_sets, of_seeds=of_seeds, noise=noise)
    assert 0.86 <= found <= 0.99


def test_of_sets_that_are_meant_only_seeds_vary() -> None:
    found = covered(6, 3, of_sets=0.0, of_seeds=1.0, noise=0.5, drawn=False)
    assert 0.87 <= found <= 0.93


def test_with_one_set_or_one_seed_it_is_the_paired_t_test() -> None:
    values = np.array([0.3, 0.1, 0.4, -0.1, 0.2])
    half = student.ppf(0.95, 4) * values.std(ddof=1) / np.sqrt(5)
    p = ttest_1samp(values, 0.0).pvalue
    for table, over in ((values[None, :], SEEDS), (values[:, None], SETS)):
        found = paired_gain(table, sets_are_drawn=True)
        assert found.interval_over == over
        assert (found.low, found.high) == pytest.approx((0.18 - half, 0.18 + half))
        assert found.p == pytest.approx(p)
        assert found.win_rate == 0.8
    alone = paired_gain(values[:, None], sets_are_drawn=False)
    assert alone.interval_over == NOTHING and np.isinf(alone.high) and alone.p == 1.0
    assert alone.brief == "+0.180"


def test_variance_is_that_of_the_two_way_layout() -> None:
    """A table whose mean squares were computed by hand: sets 1.5, seeds 6, noise 0."""
    table = np.array([[1.0, 3.0], [2.0, 4.0]]) - 0.5
    found = paired_gain(table, sets_are_drawn=True)
    # MS of sets: 2 * var(1.5, 2.5) = 1; of seeds: 2 * var(1, 3) = 4; the rest is additive.
    variance, freedom = (1 + 4) / 4, 25 / (1 / 1 + 16 / 1)
    half = student.ppf(0.95, freedom) * np.sqrt(variance)
    assert found.interval_over == BOTH
    assert found.gain == pytest.approx(2.0)
    assert found.high - found.gain == pytest.approx(half)


def test_weights_are_those_of_the_objective() -> None:
    table = np.array([[1.0, 1.0], [4.0, 4.2]])
    found = paired_gain(table, np.array([3.0, 1.0]), sets_are_drawn=False)
    assert found.gain == pytest.approx((3 * 1.0 + 4.1) / 4)
    of_seeds = np.array([7.0, 7.2]) / 4
    half = student.ppf(0.95, 1) * of_seeds.std(ddof=1) / np.sqrt(2)
    assert found.low == pytest.approx(found.gain - half)


def test_a_seed_that_failed_is_left_out_of_both() -> None:
    table = np.array([[1.0, np.nan, 2.0], [1.0, 5.0, 3.0]])
    found = paired_gain(table, sets_are_drawn=True)
    assert (found.n_sets, found.n_seeds) == (2, 2)
    assert found == paired_gain(table[:, [0, 2]], sets_are_drawn=True)
    nothing = paired_gain(np.full((2, 2), np.nan), sets_are_drawn=True)
    assert np.isnan(nothing.gain) and nothing.p == 1.0 and nothing.brief == "none"


def test_equal_mixes_have_no_difference() -> None:
    found = paired_gain(np.zeros((3, 3)), sets_are_drawn=True)
    assert (found.gain, found.p, found.win_rate) == (0.0, 1.0, 0.5)
    assert not found.is_better and not found.is_worse


@given(arrays.arrays(int, (4, 3), elements=st.integers(-50, 50)))
def test_the_other_way_round_is_the_negative(differences: np.ndarray) -> None:
    one = paired_gain(differences / 8, sets_are_drawn=True)
    other = paired_gain(-differences / 8, sets_are_drawn=True)
    assert (one.gain, one.low, one.high) == pytest.approx((-other.gain, -other.high, -other.low))
    assert one.p == pytest.approx(other.p) and one.win_rate + other.win_rate == pytest.approx(1)


def test_holm_is_the_stepwise_correction() -> None:
    """Against the definition: the k-th smallest times (n - k), never below a smaller one's."""
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(holm(np.array([0.5, 0.9])), [1.0, 1.0])
    assert len(holm(np.array([]))) == 0
