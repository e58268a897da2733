"""Summarises the losses of compared mixes: means over the seeds, and gains per seed."""

import polars as pl

FINAL, RANDOM = "final mix", "random mix"


def mean_losses(losses: pl.DataFrame) -> pl.DataFrame:
    """Mean losses and epochs over the seeds, one row for each target set and mix.

    Args:
        losses: columns mix, seed, target, loss_nats, bits_per_byte, epochs.
    """
    return losses.group_by("target", "mix", maintain_order=True).agg(
        pl.col("loss_nats").mean().alias("mean_loss_nats"),
        pl.col("bits_per_byte").mean().alias("mean_bits_per_byte"),
        pl.col("epochs").mean().alias("mean_epochs"),
    )


def gains_over_random(losses: pl.DataFrame) -> pl.DataFrame:
    """Per target set and seed: both losses in nats per token, and `gain`, random minus final.

    Args:
        losses: columns mix, seed, target, loss_nats.
    """
    pairs = losses.pivot("mix", index=["target", "seed"], values="loss_nats")
    return pairs.with_columns((pl.col(RANDOM) - pl.col(FINAL)).alias("gain"))
