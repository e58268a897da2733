import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quadmix_assets.sampling.sorted_search import SortedSearch

numbers = st.one_of(
    st.sampled_from([-0.0, 0.0, 1.0, 5e-324, -5e-324, 1.7976931348623157e308, -1e308]),
    st.integers(-5, 5).map(float),
    st.floats(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(numbers, min_size=1, max_size=60), st.lists(numbers, max_size=60))
def test_places_are_those_of_bisection(values: list[float], asked: list[float]) -> None:
    ordered = np.sort(np.array(values))
    search = SortedSearch(ordered)
    x = np.array(asked + values)
    for _ in range(6):
        np.testing.assert_array_equal(search(x), np.searchsorted(ordered, x, side="right"))


@pytest.mark.parametrize("power", [1, 3, 40])
def test_many_numbers_of_any_distribution(power: int) -> None:
    rng = np.random.default_rng(0)
    values = np.sort(rng.lognormal(size=3_000) ** power)
    x = np.concatenate([rng.lognormal(size=100_000) ** power, values, [-1.0, 0.0, 1e300]])
    search = SortedSearch(values)
    for _ in range(2):
        np.testing.assert_array_equal(search(x), np.searchsorted(values, x, side="right"))
