"""Cuts the asset graph into stages: assets that one run can materialise together."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from graphlib import TopologicalSorter

from quadmix_assets.outputs import OPTIMAL_PARAMS, PLANTED_CORPUS

# Outside all stages: the planted corpus is generated before there are shards.
_OUTSIDE_STAGES = frozenset({PLANTED_CORPUS})


@dataclass(frozen=True)
class Stage:
    """Assets with the same partitions, each after those it depends on.

    Attributes:
        assets: their names.
        partitions: the name of their partitions definition; None for unpartitioned assets.
    """

    assets: tuple[str, ...]
    partitions: str | None = None


@dataclass(frozen=True)
class Stages:
    """All stages in the order of execution.

    Attributes:
        until_search: up to the stage that makes theta*.
        after_search: stages that need the final theta*.
    """

    until_search: tuple[Stage, ...]
    after_search: tuple[Stage, ...]


def cut_into_stages(
    parents: Mapping[str, AbstractSet[str]], partitions: Mapping[str, str | None]
) -> Stages:
    """The fewest stages in which every asset follows what it depends on.

    An asset is in the stage of those it depends on if they have the same partitions, and in a later
    one otherwise. An asset without dependencies is in the latest possible stage. What depends on
    theta* is in a later stage than theta*.

    Args:
        parents: per asset, the assets that it depends on.
        partitions: per asset, the name of its partitions definition; None without partitions.
    """
    inside = parents.keys() - _OUTSIDE_STAGES
    within = {asset: parents[asset] & inside for asset in inside}

    def gap(parent: str, child: str) -> int:
        return int(partitions[parent] != partitions[child] or parent == OPTIMAL_PARAMS)

    order = list(_topological_order(within))
    level: dict[str, int] = {}
    for asset in order:
        level[asset] = max((level[p] + gap(p, asset) for p in within[asset]), default=0)
    for asset in inside:
        children = [child for child in inside if asset in within[child]]
        if not within[asset] and children:
            level[asset] = min(level[child] - gap(asset, child) for child in children)

    members: dict[tuple[int, str], list[str]] = defaultdict(list)
    for asset in order:
        members[level[asset], partitions[asset] or ""].append(asset)
    ordered = [(key[0], Stage(tuple(members[key]), key[1] or None)) for key in sorted(members)]
    last = level[OPTIMAL_PARAMS]
    return Stages(
        until_search=tuple(stage for number, stage in ordered if number <= last),
        after_search=tuple(stage for number, stage in ordered if number > last),
    )


def descendants(parents: Mapping[str, AbstractSet[str]], asset: str) -> set[str]:
    """The assets that depend on `asset`, directly or through others."""
    found = {asset}
    for other in _topological_order(parents):
        if parents.get(other, set()) & found:
            found.add(other)
    return found - {asset}


def _topological_order(parents: Mapping[str, AbstractSet[str]]) -> Iterator[str]:
    """Every asset after its parents; by name where the graph leaves a choice."""
    sorter = TopologicalSorter(parents)
    sorter.prepare()
    while sorter:
        ready = sorted(sorter.get_ready())
        yield from ready
        sorter.done(*ready)
