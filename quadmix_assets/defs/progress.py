"""The progress of a training in the UI: observations of an asset, drawn there as curves."""

from collections.abc import Callable

import dagster as dg
import numpy as np

from quadmix_assets.training.progress import BatchProgress


def observe_progress(
    context: dg.AssetExecutionContext, partition: str | None = None
) -> Callable[[BatchProgress], None]:
    """A function that records the progress of a training as observations of the asset."""

    def observe(progress: BatchProgress) -> None:
        context.log_event(
            dg.AssetObservation(
                context.asset_key, partition=partition, metadata=_metadata(progress)
            )
        )

    return observe


def _metadata(progress: BatchProgress) -> dict[str, float]:
    """What the UI shows; it cannot show infinity or NaN, which are left out."""
    values = {
        "done": progress.n_tokens / progress.n_tokens_total,
        "n_proxies": progress.n_proxies,
        "n_failed": progress.n_failed,
        "tokens_per_second": progress.tokens_per_second,
        "mean_loss_nats": progress.mean_loss_nats,
        "eta_seconds": progress.eta_seconds,
    }
    return {name: float(value) for name, value in values.items() if np.isfinite(value)}
