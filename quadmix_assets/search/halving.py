"""Successive halving: who is measured in which heat, and who wins.

Every heat measures the best candidates so far with further seeds. Those that are left in a heat
have the same seeds behind them, so that their means can be compared seed by seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from quadmix_assets.settings import HeatSettings

Measured = Mapping[str, Mapping[int, float]]
"""By candidate and seed the measured objective, smaller is better; a failed training has none."""


@dataclass(frozen=True)
class Heat:
    """What one heat measures.

    Attributes:
        n_candidates: how many of the best candidates.
        seeds: the numbers of its seeds, which no earlier heat has used.
    """

    n_candidates: int
    seeds: tuple[int, ...]


def plan_heats(
    heats: Sequence[HeatSettings], n_candidates: int, *, seeds_factor: int = 1
) -> list[Heat]:
    """The heats for a number of candidates; none for a single candidate.

    Args:
        heats: as the settings have them.
        n_candidates: how many there are; a heat never measures more.
        seeds_factor: multiplies the seeds of all heats but the first, where noise is large.
    """
    if n_candidates < 2:
        return []
    numbers = [heat.seeds * (seeds_factor if k else 1) for k, heat in enumerate(heats)]
    ends = list(accumulate(numbers))
    return [
        Heat(min(heat.candidates, n_candidates), tuple(range(end - number, end)))
        for heat, number, end in zip(heats, numbers, ends, strict=True)
    ]


def best_of(candidates: Sequence[str], measured: Measured, n: int) -> list[str]:
    """The n best candidates by the mean over all their seeds, best first.

    Of equal means the earlier candidate counts as better. A candidate with a failed training, whose
    seeds are fewer than those of others, comes after all that have none.

    Args:
        candidates: those that are left, in a fixed order.
        measured: their objectives.
        n: how many.
    """
    most = max((len(measured.get(name, {})) for name in candidates), default=0)

    def key(name: str) -> tuple[int, float]:
        values = list(measured.get(name, {}).values())
        return most - len(values), float(np.mean(values)) if values else np.inf

    return sorted(candidates, key=key)[:n]
