"""Stretches of neighbouring partitions, which one run can name by its first and last."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet


def neighbours(registered: Sequence[str], wanted: AbstractSet[str]) -> Iterator[list[str]]:
    """The wanted partitions in stretches without gaps, in order.

    Args:
        registered: all partitions in the order in which Dagster knows them.
        wanted: some of them.
    """
    stretch: list[str] = []
    for key in registered:
        if key in wanted:
            stretch.append(key)
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch
