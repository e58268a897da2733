"""Objectives: weighted means of the losses on target sets."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl

from quadmix_assets.settings import ObjectiveSettings

Predictor = Callable[[np.ndarray], np.ndarray]


def objective_named(objectives: Sequence[ObjectiveSettings], name: str) -> ObjectiveSettings:
    """The objective of that name.

    Raises:
        KeyError: there is none.
    """
    return {objective.name: objective for objective in objectives}[name]


def objective_losses(metrics: pl.DataFrame, objective: ObjectiveSettings) -> np.ndarray:
    """The objective (n,) of every proxy that was trained, ordered by theta.

    Args:
        metrics: one row per theta and target with theta, target, status, loss_nats.
        objective: target sets and their weights, which are brought to sum 1.
    """
    weights = pl.DataFrame(
        {"target": list(objective.targets), "weight": list(objective.targets.values())}
    ).with_columns(pl.col("weight") / pl.col("weight").sum())
    losses = (
        metrics.filter(pl.col("status") == "trained")
        .join(weights, on="target")
        .group_by("theta")
        .agg((pl.col("loss_nats") * pl.col("weight")).sum().alias("loss_nats"))
        .sort("theta")
    )
    return losses["loss_nats"].to_numpy()


def objective_predictor(
    objective: ObjectiveSettings, predictors: Mapping[str, Predictor]
) -> Predictor:
    """Predicts the objective (n,) of thetas (n, F) from the predictors of its target sets."""
    total = sum(objective.targets.values())

    def predict(features: np.ndarray) -> np.ndarray:
        parts = [
            weight / total * predictors[target](features)
            for target, weight in objective.targets.items()
        ]
        return np.sum(parts, axis=0)

    return predict
