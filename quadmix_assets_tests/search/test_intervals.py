import re

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from quadmix_assets.search.intervals import Mean, Verdict


def by_seed(*values: float | None) -> dict[int, float]:
    return {seed: value for seed, value in enumerate(values) if value is not None}


def test_intervals_are_students() -> None:
    values = np.array([4.0, 4.3, 4.1, 4.6])
    found = Mean.of(values)
    expected = ttest_1samp(values, 0.0).confidence_interval(0.9)
    assert found.value == pytest.approx(values.mean())
    assert found.seeds == 4
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert str(found) == f"4.2500 ({expected.low:.4f} to {expected.high:.4f})"


def test_one_seed_has_no_interval_and_none_no_mean() -> None:
    assert Mean.of(np.array([2.0])) == Mean(2.0, -np.inf, np.inf, 1)
    assert str(Mean.of(np.array([2.0]))) == "2.0000"
    assert np.isnan(Mean.of(np.array([])).value)
    assert str(Mean.of(np.array([]))) == "none"


@pytest.mark.parametrize(
    ("mine", "other", "words", "is_better"),
    [
        (
            [3.0, 3.1, 3.2],
            [4.0, 4.11, 4.19],
            "is better than it: lower in 3 of 3 seeds, by 1.00",
            1,
        ),
        ([4.0, 4.11, 4.19], [3.0, 3.1, 3.2], "is worse than it: lower in 0 of 3 .*, higher by", 0),
        ([3.0, 3.5, 3.2], [3.2, 3.3, 3.3], "cannot be distinguished .*: lower in 2 of 3 seeds", 0),
        ([3.0, None, 3.2], [4.0, 3.0, None], "cannot be distinguished .*: lower in 1 of 1", 0),
        ([None, None, None], [4.0, 3.0, 2.0], "cannot be compared .*: trainings failed", 0),
    ],
)
def test_a_verdict_in_words(
    mine: list[float | None], other: list[float | None], words: str, is_better: int
) -> None:
    verdict = Verdict.of(by_seed(*mine), by_seed(*other))
    assert re.search(words, verdict.in_words("it", "nats")), verdict.in_words("it", "nats")
    assert verdict.is_better == bool(is_better)


def test_pairs_are_compared_seed_by_seed() -> None:
    """Seeds differ by far more than samples; within each the difference is small and sure."""
    verdict = Verdict.of(by_seed(1.0, 5.0, 9.0), by_seed(1.11, 5.1, 9.09))
    assert verdict.gain.value == pytest.approx(0.1)
    assert verdict.gain.low > 0
    assert verdict.won == 3
