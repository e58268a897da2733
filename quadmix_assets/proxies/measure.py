"""Chooses what regressors and objectives learn from: the loss of a text, or that of choices."""

import polars as pl

from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError


def with_measure(metrics: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Losses with, as loss_nats, what each target set is measured by (`targets[].measure`).

    Everything that computes an objective, or fits a regressor, reads its losses through this.

    Args:
        metrics: columns target, status, loss_nats and choice_nats, among others.
        settings: of the profile.

    Raises:
        MissingOutputError: a target set is measured by its choices, and has none.
    """
    by_choice = [target.name for target in settings.targets if target.measure == "choice"]
    if not by_choice:
        return metrics
    is_choice = pl.col("target").is_in(by_choice)
    without = metrics.filter(
        is_choice, pl.col("status") == "trained", pl.col("choice_nats").is_null()
    )
    if not without.is_empty():
        name = without["target"][0]
        raise MissingOutputError(
            f"targets[{name}].measure is 'choice', but proxies were evaluated on no question of "
            f"{name!r} with choices that fit proxies.training's context: correct its file, or set "
            "measure to 'loss'"
        )
    measured = pl.when(is_choice).then("choice_nats").otherwise("loss_nats")
    return metrics.with_columns(measured.alias("loss_nats"))
