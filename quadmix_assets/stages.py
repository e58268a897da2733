"""Cuts the asset graph into stages: assets that one run can materialise together."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from graphlib import TopologicalSorter


@dataclass(frozen=True)
class Stage:
    """Assets with the same partitions, each after those it depends on.

    Attributes:
        assets: their names.
        partitions: the name of their partitions definition; None for unpartitioned assets.
    """

    assets: tuple[str, ...]
    partitions: str | None = None


def cut_into_stages(
    parents: Mapping[str, AbstractSet[str]], partitions: Mapping[str, str | None]
) -> tuple[Stage, ...]:
    """The fewest stages in which every asset follows what it depends on, in their order.

    An asset is in the stage of those it depends on if they have the same partitions, and in a later
    one otherwise. An asset without dependencies is in the latest possible stage.

    Args:
        parents: per asset, the assets that it depends on.
        partitions: per asset, the name of its partitions definition; None without partitions.
    """

    def gap(parent: str, child: str) -> int:
        return int(partitions[parent] != partitions[child])

    order = list(_topological_order(parents))
    level: dict[str, int] = {}
    for asset in order:
        level[asset] = max((level[p] + gap(p, asset) for p in parents[asset]), default=0)
    for asset in order:
        children = [child for child in order if asset in parents[child]]
        if not parents[asset] and children:
            level[asset] = min(level[child] - gap(asset, child) for child in children)

    members: dict[tuple[int, str], list[str]] = defaultdict(list)
    for asset in order:
        members[level[asset], partitions[asset] or ""].append(asset)
    return tuple(Stage(tuple(members[key]), key[1] or None) for key in sorted(members))


def _topological_order(parents: Mapping[str, AbstractSet[str]]) -> Iterator[str]:
    """Every asset after its parents; by name where the graph leaves a choice."""
    sorter = TopologicalSorter(parents)
    sorter.prepare()
    while sorter:
        ready = sorted(sorter.get_ready())
        yield from ready
        sorter.done(*ready)
