"""Objectives: weighted means of the losses on target sets, on one scale."""

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
        name: as in the settings.
        unit: of its values, for figures and messages.
        factors: by target set, the factor on a loss in nats per token, its weight included.
        offset: added to the sum.
    """

    name: str
    unit: str
    factors: Mapping[str, float]
    offset: float

    @classmethod
    def of(cls, settings: ObjectiveSettings, metrics: pl.DataFrame) -> "Objective":
        """Fit the scale of an objective to the trained proxies.

        Weights are normalized to sum 1. On the scale `zscore` a loss is a number of standard
        deviations from the mean over the proxies, on `bits_per_byte` it is divided by the target
        set's bytes; both keep target sets with large or widely spread losses from dominating.

        Args:
            settings: of the objective.
            metrics: one row per theta and target set, with the columns theta_id, target, status,
                loss_nats, bits_per_byte.
        """
        trained = metrics.filter(pl.col("status") == "trained")
        total = sum(settings.targets.values())
        factors, offset = {}, 0.0
        for target, weight in settings.targets.items():
            rows = trained.filter(pl.col("target") == target)
            losses = rows["loss_nats"].to_numpy()
            factor = weight / total
            if settings.scale == "zscore":
                # Equal losses cannot tell thetas apart: weight 0 instead of an infinite one.
                spread = float(losses.std())
                factor = factor / spread if spread > 0 else 0.0
                offset -= factor * float(losses.mean())
            elif settings.scale == "bits_per_byte":
                # Tokens and bytes of a target set are the same for all proxies.
                factor *= float(rows["bits_per_byte"].to_numpy().sum() / losses.sum())
            factors[target] = factor
        return cls(settings.name, UNITS[settings.scale], factors, offset)

    def value(self, losses: Mapping[str, FloatArray]) -> FloatArray:
        """The objective (n,) of losses (n,) in nats per token on each target set."""
        terms = [factor * losses[target] for target, factor in self.factors.items()]
        return np.asarray(np.sum(terms, axis=0) + self.offset)

    def standard_deviation(self, standard_deviations: Mapping[str, FloatArray]) -> FloatArray:
        """Standard deviation (n,) of the objective, from those (n,) of the losses in nats.

        Errors on different target sets are assumed to be fully correlated, because the same proxies
        were measured on all of them.
        """
        return self.value(standard_deviations) - self.offset


def objective_losses(metrics: pl.DataFrame, settings: ObjectiveSettings) -> FloatArray:
    """The objective (n,) of every trained proxy, ordered by theta_id."""
    trained = metrics.filter(pl.col("status") == "trained").sort("theta_id")
    losses = {
        target: trained.filter(pl.col("target") == target)["loss_nats"].to_numpy()
        for target in settings.targets
    }
    return Objective.of(settings, metrics).value(losses)
