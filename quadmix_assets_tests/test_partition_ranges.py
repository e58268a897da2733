"""Stretches of partitions that one run can name by its first and last."""

from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.partition_ranges import neighbours


@given(st.lists(st.booleans(), max_size=30))
def test_stretches_cover_what_is_wanted_and_nothing_else(is_wanted: list[bool]) -> None:
    # The order in which Dagster knows them is that of their registration.
    registered = [f"key-{number * 7919 % 1_000}" for number in range(len(is_wanted))]
    wanted = {key for key, one in zip(registered, is_wanted, strict=True) if one}
    stretches = list(neighbours(registered, wanted))
    covered = [
        key
        for stretch in stretches
        for key in registered[registered.index(stretch[0]) : registered.index(stretch[-1]) + 1]
    ]
    assert covered == [key for key in registered if key in wanted]
    assert covered == [key for stretch in stretches for key in stretch]


@given(st.lists(st.booleans(), max_size=30))
def test_stretches_are_as_few_as_can_be(is_wanted: list[bool]) -> None:
    registered = [str(number) for number in range(len(is_wanted))]
    wanted = {key for key, one in zip(registered, is_wanted, strict=True) if one}
    starts = [
        one and not before for before, one in zip([False, *is_wanted], is_wanted, strict=False)
    ]
    assert len(list(neighbours(registered, wanted))) == sum(starts)


def test_an_example() -> None:
    assert list(neighbours("abcdefgh", set("abceh"))) == [["a", "b", "c"], ["e"], ["h"]]
    assert list(neighbours("abc", set())) == []
    assert list(neighbours("abc", {"unknown"})) == []
