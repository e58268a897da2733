import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from quadmix_assets.sampling import draw_copies, hash_ids, uniform_of_ids

MASK = 2**64 - 1
GAMMA = 0x9E3779B97F4A7C15


def splitmix64(state: int) -> int:
    """The output for a state, in whole numbers of Python."""
    z = (state + GAMMA) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


ids = st.lists(st.text(max_size=12), unique=True, min_size=1, max_size=30)
seeds = st.integers(0, MASK)


def test_splitmix64_of_this_file_gives_the_published_numbers() -> None:
    """The first outputs of the generator's reference program from state 0."""
    assert splitmix64(0) == 0xE220A8397B1DCDAF
    assert splitmix64(GAMMA) == 0x6E789E6AA1B965F4


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, MASK), max_size=20), seeds)
def test_the_random_number_is_a_fixed_function_of_id_and_seed(
    numbers: list[int], seed: int
) -> None:
    expected = [(splitmix64(splitmix64(x) ^ splitmix64(seed)) >> 11) / 2**53 for x in numbers]
    np.testing.assert_array_equal(uniform_of_ids(np.array(numbers, np.uint64), seed), expected)


def test_strings_are_hashed_by_xxh3() -> None:
    """Published digests of xxh3_64, so that no release of a library can change a mix."""
    assert hash_ids(["", "a"]).tolist() == [0x2D06800538D394C2, 0xE6C632B61E964E1F]


@settings(max_examples=50, deadline=None)
@given(ids, seeds)
def test_all_forms_of_an_id_draw_the_same(names: list[str], seed: int) -> None:
    values = np.linspace(0.0, 2.5, len(names))
    copies = draw_copies(values, names, seed)
    np.testing.assert_array_equal(draw_copies(values, hash_ids(names), seed), copies)
    np.testing.assert_array_equal(draw_copies(values, pl.Series(names), seed), copies)
    np.testing.assert_array_equal(draw_copies(values, np.array(names, object), seed), copies)


def test_whole_numbers_are_ids_of_any_integer_type() -> None:
    expected = hash_ids(np.array([0, 1, 2**31], np.uint64))
    np.testing.assert_array_equal(hash_ids(np.array([0, 1, 2**31], np.int64)), expected)
    np.testing.assert_array_equal(hash_ids([0, 1, 2**31]), expected)
    assert hash_ids([1, MASK]).tolist() == [1, MASK]
    assert hash_ids([]).dtype == np.uint64


@settings(max_examples=50, deadline=None)
@given(ids, seeds, st.data())
def test_order_and_shards_change_nothing(names: list[str], seed: int, data: st.DataObject) -> None:
    values = {name: 0.1 + 0.13 * i for i, name in enumerate(names)}
    whole = dict(zip(names, draw_copies(list(values.values()), names, seed), strict=True))
    shuffled = data.draw(st.permutations(names))
    cut = data.draw(st.integers(0, len(names)))
    for shard in (shuffled[:cut], shuffled[cut:]):
        drawn = draw_copies([values[name] for name in shard], shard, seed)
        assert dict(zip(shard, drawn, strict=True)) == {name: whole[name] for name in shard}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0.0, 1e6), max_size=30), seeds)
def test_copies_are_the_whole_part_or_one_more(values: Any, seed: int) -> None:
    copies = draw_copies(values, np.arange(len(values)), seed)
    for value, n in zip(values, copies, strict=True):
        assert n in (math.floor(value), math.floor(value) + (value > math.floor(value)))


@pytest.mark.parametrize("value", [0.0005, 0.3, 0.97, 1.37])
@pytest.mark.parametrize("kind", ["number", "string"])
def test_the_share_that_gets_one_more_is_the_fraction(value: float, kind: str) -> None:
    n = 200_000
    numbers = np.arange(n)
    names = numbers if kind == "number" else [f"shard-{i % 7}/{i}" for i in range(n)]
    extra = draw_copies(np.full(n, value), names, 12) - math.floor(value)
    fraction = value - math.floor(value)
    deviation = math.sqrt(n * fraction * (1 - fraction))
    assert abs(extra.sum() - n * fraction) < 4.5 * deviation


def test_one_document_over_many_seeds_is_taken_as_often_as_s_says() -> None:
    names = hash_ids([f"document {i}" for i in range(200)])
    values = np.linspace(0.05, 0.95, 200)
    n = 2_000
    mean = np.mean([draw_copies(values, names, seed) for seed in range(n)], axis=0)
    deviation = np.sqrt(values * (1 - values) / n)
    assert (np.abs(mean - values) / deviation).max() < 4.5


def test_random_numbers_are_uniform_and_seeds_independent() -> None:
    numbers = np.arange(200_000)
    draws = [uniform_of_ids(numbers, seed) for seed in (0, 1, 2, MASK)]
    for u in draws:
        assert u.min() >= 0.0 and u.max() < 1.0
        assert kstest(u, "uniform").pvalue > 0.001
        assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 0.01
    correlation = np.corrcoef(draws) - np.eye(len(draws))
    assert np.abs(correlation).max() < 0.01


def test_the_same_seed_draws_the_same_and_another_one_differently() -> None:
    names = [f"d{i}" for i in range(5_000)]
    values = np.full(5_000, 0.5)
    first = draw_copies(values, names, 1)
    np.testing.assert_array_equal(draw_copies(values, names, 1), first)
    assert 2_200 < np.count_nonzero(draw_copies(values, names, 2) != first) < 2_800


@pytest.mark.parametrize(
    ("values", "names", "seed", "message"),
    [
        ([0.5, np.nan], ["a", "b"], 0, r"values\[1\] is nan"),
        ([0.5, np.inf], ["a", "b"], 0, r"values\[1\] is inf"),
        ([0.5, -0.1], ["a", "b"], 0, r"values\[1\] is -0.1; expected at least 0"),
        ([0.5], ["a", "b"], 0, r"values has shape \(1,\); expected \(2\)"),
        ([0.5, 0.5], np.array([3, -4]), 0, r"ids\[1\] is -4; expected 0 or more"),
        ([0.5, 0.5], [3, -4], 0, r"ids\[1\] is -4; expected 0 to 2\*\*64 - 1"),
        ([0.5, 0.5], [3, 2**64], 0, r"ids\[1\] is 18446744073709551616"),
        ([0.5], np.array([[3]]), 0, r"ids has shape \(1, 1\); expected \(any\)"),
        ([0.5], ["a"], -1, r"seed is -1; expected a number from 0"),
        ([0.5], ["a"], 2**64, r"seed is 18446744073709551616"),
    ],
)
def test_wrong_input_is_named(values: Any, names: Any, seed: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_copies(values, names, seed)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", None], r"ids\[1\] is None of type NoneType; expected a string"),
        (["a", 3], r"ids\[1\] is 3 of type int; expected a string, as the first id is"),
        ([3, "a"], r"ids\[1\] is 'a' of type str; expected a whole number"),
        (np.array([0.5, 1.0]), r"ids\[0\] is 0.5 of type float; expected a string"),
    ],
)
def test_ids_of_a_wrong_type_are_named(names: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        draw_copies([0.5, 0.5], names, 0)
