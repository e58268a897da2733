"""What every round of proxies showed."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from quadmix_assets.proxies.evidence import Evidence
from quadmix_assets.search.objective import objective_losses
from quadmix_assets.settings import ObjectiveSettings


def table_of_rounds(evidence: Evidence, objectives: Sequence[ObjectiveSettings]) -> pl.DataFrame:
    """One row per objective and round.

    Columns objective, round, proxies, mean and best (the objective of the round's proxies), gain
    (how much lower the best is than that of all earlier rounds; null in the first).
    """
    rows = []
    for objective in objectives:
        losses = objective_losses(evidence.metrics, objective)
        best = np.inf
        for number in np.unique(evidence.rounds):
            mine = losses[evidence.rounds == number]
            gain = best - mine.min()
            best = min(best, mine.min())
            rows.append(
                {
                    "objective": objective.name,
                    "round": int(number),
                    "proxies": len(mine),
                    "mean": float(mine.mean()),
                    "best": float(mine.min()),
                    "gain": float(gain) if np.isfinite(gain) else None,
                }
            )
    return pl.DataFrame(rows)
