"""The objectives of samples that were trained with several seeds each."""

import polars as pl

from quadmix_assets.search.objective import Objective


def objective_by_seed(losses: pl.DataFrame, objective: Objective) -> pl.DataFrame:
    """The objective of every sample and seed: columns sample, seed, value.

    Trainings that failed are left out.

    Args:
        losses: columns sample, seed, target, status, loss_nats, of one part of the target sets.
        objective: fitted to the swarm.
    """
    wide = losses.filter(
        (pl.col("status") == "trained") & pl.col("target").is_in(list(objective.factors))
    ).pivot("target", index=["sample", "seed"], values="loss_nats", maintain_order=True)
    if not wide.height:
        return wide.select("sample", "seed").with_columns(value=pl.lit(None, pl.Float64))
    value = objective.value({t: wide[t].to_numpy() for t in objective.factors})
    return wide.select("sample", "seed").with_columns(value=pl.Series(value, dtype=pl.Float64))


def values_by_sample(by_seed: pl.DataFrame) -> dict[str, dict[int, float]]:
    """By sample and seed the values of a table of `objective_by_seed`."""
    found: dict[str, dict[int, float]] = {}
    for sample, seed, value in by_seed.iter_rows():
        found.setdefault(sample, {})[seed] = value
    return found
