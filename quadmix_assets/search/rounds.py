"""The measured objectives of every round of proxies."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from quadmix_assets.proxies.evidence import Evidence
from quadmix_assets.search.intervals import finite_or_none
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
            of_round = losses[evidence.rounds == number]
            gain = best - of_round.min()
            best = min(best, of_round.min())
            rows.append(
                {
                    "objective": objective.name,
                    "round": int(number),
                    "proxies": len(of_round),
                    "mean": float(of_round.mean()),
                    "best": float(of_round.min()),
                    "gain": finite_or_none(gain),
                }
            )
    return pl.DataFrame(rows)
