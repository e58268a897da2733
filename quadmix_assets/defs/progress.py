"""The progress of trainings in the UI: observations of an asset, drawn there as curves."""

from collections.abc import Callable, Mapping, Sequence

import dagster as dg
import numpy as np

from quadmix_assets.proxies.swarm_progress import SwarmProgress
from quadmix_assets.search.refine_rounds import RoundsProgress
from quadmix_assets.training.progress import BatchProgress


def observe_progress(context: dg.AssetExecutionContext) -> Callable[[BatchProgress], None]:
    """A function that records the progress of a training as observations of the asset."""

    def observe(progress: BatchProgress) -> None:
        _observe(context, None, _of_batch(progress))

    return observe


def observe_round(context: dg.AssetExecutionContext) -> Callable[[int, BatchProgress], None]:
    """The same for rounds one after the other; it is called with the number of the round too."""

    def observe(number: int, progress: BatchProgress) -> None:
        _observe(context, None, {**_of_batch(progress), "round": number})

    return observe


def observe_budgets(context: dg.AssetExecutionContext) -> Callable[[int, BatchProgress], None]:
    """The same for trainings of several lengths at once; it is called with the length too."""

    def observe(budget: int, progress: BatchProgress) -> None:
        found = {f"{name}_{budget}": value for name, value in _of_batch(progress).items()}
        _observe(context, None, found)

    return observe


def observe_together(
    context: dg.OpExecutionContext, keys: Sequence[dg.AssetKey]
) -> Callable[[int, BatchProgress], None]:
    """The same for models of several assets that an op trains together; it logs them too.

    Every asset has the progress of all of them, since their models share stacks.
    """

    def observe(budget: int, progress: BatchProgress) -> None:
        context.log.info(f"{budget:,} tokens: {progress}")
        found = {f"{name}_{budget}": value for name, value in _of_batch(progress).items()}
        metadata = _finite(found)
        for key in keys:
            words = f"of the models of {len(keys)} mixes, which train together"
            context.log_event(dg.AssetObservation(key, description=words, metadata=metadata))

    return observe


def observe_batch_of_swarm(
    context: dg.AssetExecutionContext, swarm: SwarmProgress
) -> Callable[[BatchProgress], None]:
    """The same for a partition that is a batch of the swarm, with the progress of the swarm.

    Args:
        context: of the step.
        swarm: its progress without this batch.
    """

    def observe(progress: BatchProgress) -> None:
        now = swarm.during(progress)
        context.log.info(str(now))
        _observe(context, context.partition_key, {**_of_batch(progress), **_of_swarm(now)})

    return observe


def observe_rounds(context: dg.AssetExecutionContext) -> Callable[[RoundsProgress], None]:
    """A function that logs and records the progress of a refinement over all its rounds."""

    def observe(progress: RoundsProgress) -> None:
        context.log.info(str(progress))
        values = {
            "round": progress.round,
            "rounds": progress.n_rounds,
            "batch": progress.batch,
            "batches_in_round": progress.n_batches,
            "rounds_done": progress.share_done,
            "rounds_eta_seconds": progress.eta_seconds,
        }
        _observe(context, None, {**_of_batch(progress.training), **values})

    return observe


def _observe(
    context: dg.AssetExecutionContext, partition: str | None, values: Mapping[str, float]
) -> None:
    """Record numbers of the asset of a step."""
    metadata = _finite(values)
    context.log_event(
        dg.AssetObservation(context.asset_key, partition=partition, metadata=metadata)
    )


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    """Numbers without infinity and NaN, which the UI cannot show."""
    return {name: float(value) for name, value in values.items() if np.isfinite(value)}


def _of_swarm(swarm: SwarmProgress) -> dict[str, float]:
    return {
        "swarm_batches": swarm.n_batches,
        "swarm_batches_trained": swarm.n_done,
        "swarm_done": swarm.share_done,
        "swarm_eta_seconds": swarm.eta_seconds,
    }


def _of_batch(progress: BatchProgress) -> dict[str, float]:
    return {
        "done": progress.n_tokens / progress.n_tokens_total,
        "n_proxies": progress.n_proxies,
        "n_failed": progress.n_failed,
        "tokens_per_second": progress.tokens_per_second,
        "mean_loss_nats": progress.mean_loss_nats,
        "eta_seconds": progress.eta_seconds,
    }
