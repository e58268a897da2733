"""Stretches of neighbouring partitions, which a run names by its first and last in two tags."""

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


def range_tags(stretch: Sequence[str]) -> dict[str, str]:
    """The tags of a Dagster run over a stretch of neighbouring partitions."""
    return {
        "dagster/asset_partition_range_start": stretch[0],
        "dagster/asset_partition_range_end": stretch[-1],
    }
