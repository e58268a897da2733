"""Objectives: weighted means of the losses on target sets, brought to one scale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.settings import ObjectiveSettings

UNITS = {"nats": "nats", "zscore": "standard deviations", "bits_per_byte": "bits per byte"}


def objective_named(objectives: Sequence[ObjectiveSettings], name: str) -> ObjectiveSettings:
    """The objective of that name.

    Raises:
        KeyError: there is none.
    """
    return {objective.name: objective for objective in objectives}[name]


@dataclass(frozen=True)
class Objective:
    """A weighted sum of the losses on target sets, fitted to the proxies that were trained.

    Attributes:
        name: of the settings.
        unit: what its values are counted in, for figures and messages.
        factors: by target, what a loss in nats per token is multiplied with; the weight is in it.
        offset: added to the sum.
    """

    name: str
    unit: str
    factors: Mapping[str, float]
    offset: float

    @classmethod
    def of(cls, settings: ObjectiveSettings, metrics: pl.DataFrame) -> "Objective":
        """The objective over trained proxies.

        `metrics` has one row per theta and target: theta, target, status, loss_nats, bits_per_byte.
        Weights are brought to sum 1. On the scale `zscore` a loss is a number of standard
        deviations from the mean over the proxies, on `bits_per_byte` it is divided by the target's
        bytes; both keep a target whose losses are large or spread from deciding alone.
        """
        trained = metrics.filter(pl.col("status") == "trained")
        total = sum(settings.targets.values())
        factors, offset = {}, 0.0
        for target, weight in settings.targets.items():
            rows = trained.filter(pl.col("target") == target)
            losses = rows["loss_nats"].to_numpy()
            factor = weight / total
            if settings.scale == "zscore":
                # Equal losses say nothing: they get no weight rather than an infinite one.
                spread = float(losses.std())
                factor = factor / spread if spread > 0 else 0.0
                offset -= factor * float(losses.mean())
            elif settings.scale == "bits_per_byte":
                # Tokens and bytes of a target are the same for all proxies.
                factor *= float(rows["bits_per_byte"].to_numpy().sum() / losses.sum())
            factors[target] = factor
        return cls(settings.name, UNITS[settings.scale], factors, offset)

    def value(self, losses: Mapping[str, FloatArray]) -> FloatArray:
        """The objective (n,) of losses (n,) in nats on each target."""
        parts = [factor * losses[target] for target, factor in self.factors.items()]
        return np.asarray(np.sum(parts, axis=0) + self.offset)

    def standard_deviation(self, standard_deviations: Mapping[str, FloatArray]) -> FloatArray:
        """How far the objective (n,) is off if the losses (n,) are off by `standard_deviations`.

        Errors of the targets are taken to go together: the proxies are the same for all of them.
        """
        return self.value(standard_deviations) - self.offset


def objective_losses(metrics: pl.DataFrame, settings: ObjectiveSettings) -> FloatArray:
    """The objective (n,) of every proxy that was trained, ordered by theta."""
    trained = metrics.filter(pl.col("status") == "trained").sort("theta_id")
    losses = {
        target: trained.filter(pl.col("target") == target)["loss_nats"].to_numpy()
        for target in settings.targets
    }
    return Objective.of(settings, metrics).value(losses)
