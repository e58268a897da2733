"""How far the swarm is: batches, proxies, and the time that is left.

What a batch took is recorded in a JSON file of its own in the lake, so that equal losses have equal
bytes.
"""

from dataclasses import dataclass, replace

import numpy as np

from quadmix_assets.outputs import PROXY_METRICS, PROXY_SECONDS
from quadmix_assets.proxies.evidence import current_losses, evidence_version
from quadmix_assets.proxies.parameter_sets import (
    batch_names,
    first_batches,
    n_rounds,
    round_of,
    round_path,
)
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets.training.progress import BatchProgress, duration
from quadmix_assets.training.train_samples import BatchResult


@dataclass(frozen=True)
class SwarmProgress:
    """How far the swarm is, all rounds that there are thetas of included.

    Attributes:
        n_batches: batches of the swarm; those of round 0 follow from the settings.
        n_done: batches with losses measured on the current inputs.
        n_proxies: proxies of the swarm.
        n_trained: proxies of the batches that are done, without the failed ones.
        n_failed: failed proxies of the batches that are done.
        share_done: share of the swarm's training that is done, in [0, 1].
        seconds_per_batch: mean over the batches that are done and have a record of their time; NaN
            without any.
        eta_seconds: time that the remaining batches take at that rate, one after the other; NaN
            where no rate is known.
    """

    n_batches: int
    n_done: int
    n_proxies: int
    n_trained: int
    n_failed: int
    share_done: float
    seconds_per_batch: float
    eta_seconds: float

    def __str__(self) -> str:
        """One line for a log."""
        eta = f", swarm ETA {duration(self.eta_seconds)}" if np.isfinite(self.eta_seconds) else ""
        failed = f", {self.n_failed} failed" if self.n_failed else ""
        return f"batches {self.n_done} of {self.n_batches} trained{eta}{failed}"

    def during(self, batch: BatchProgress) -> "SwarmProgress":
        """The progress while a further batch is in training, which is not among those done.

        Its rate stands in for that of earlier batches where none has a record.
        """
        share = batch.n_tokens / max(batch.n_tokens_total, 1)
        left = self.n_proxies * (1.0 - self.share_done) - batch.n_proxies
        per_proxy = self.seconds_per_batch * self.n_batches / self.n_proxies
        if not np.isfinite(per_proxy) and batch.tokens_per_second > 0:
            per_proxy = batch.n_tokens_total / batch.n_proxies / batch.tokens_per_second
        return replace(
            self,
            n_failed=self.n_failed + batch.n_failed,
            share_done=min(1.0, self.share_done + share * batch.n_proxies / self.n_proxies),
            eta_seconds=batch.eta_seconds + (max(left, 0.0) * per_proxy if left > 0.5 else 0.0),
        )


def swarm_progress(
    store: Store, settings: Settings, *, without: str | None = None
) -> SwarmProgress:
    """How far the swarm is now.

    Args:
        store: the lake.
        settings: the number of thetas and of those in a batch, and the recipe.
        without: a batch that counts as not done, because it is about to be trained again.
    """
    batches = batches_of_swarm(store, settings)
    n_proxies_done = n_trained = n_failed = n_done = 0
    seconds, timed = 0.0, 0
    versions: dict[int, dict[str, str] | None] = {}
    for batch in batches:
        path = store.table_path(PROXY_METRICS, batch)
        if batch == without or not path.exists():
            continue
        number = round_of(batch)
        if number not in versions:
            versions[number] = _version(store, settings, batch)
        version = versions[number]
        current = None if version is None else current_losses(store, batch, version)
        if current is None:
            continue
        by_theta = store.read_table(current, ["theta_id", "status"]).unique("theta_id")
        failed = int((by_theta["status"] == "failed").sum())
        n_done += 1
        n_proxies_done += by_theta.height
        n_failed += failed
        n_trained += by_theta.height - failed
        record = store.path(PROXY_SECONDS, f"{batch}.json")
        if record.exists():
            seconds += float(store.read_json(record)["seconds"])
            timed += by_theta.height
    n_proxies = settings.parameters.n + sum(
        store.n_rows(round_path(store, number)) for number in range(1, _n_rounds(store) + 1)
    )
    per_proxy = seconds / timed if timed else float("nan")
    left = max(n_proxies - n_proxies_done, 0)
    return SwarmProgress(
        n_batches=len(batches),
        n_done=n_done,
        n_proxies=n_proxies,
        n_trained=n_trained,
        n_failed=n_failed,
        share_done=min(1.0, n_proxies_done / n_proxies),
        seconds_per_batch=per_proxy * n_proxies / len(batches),
        eta_seconds=per_proxy * left if left else 0.0,
    )


def batches_of_swarm(store: Store, settings: Settings) -> list[str]:
    """The batches of round 0 by the settings, and those of the further rounds that are there."""
    further = [
        batch for number in range(1, _n_rounds(store) + 1) for batch in batch_names(store, number)
    ]
    return [*first_batches(settings), *further]


def record_seconds(store: Store, batch: str, result: BatchResult) -> None:
    """Record how long a batch takes at the rate at which it was trained.

    A batch that was interrupted so counts as if it had been trained in one go; one of which
    nothing was left to train keeps its record.
    """
    if result.tokens_per_second > 0:
        n_tokens = sum(training.n_tokens for training in result.trainings)
        seconds = round(n_tokens / result.tokens_per_second, 3)
        store.write_json(store.path(PROXY_SECONDS, f"{batch}.json"), {"seconds": seconds})


def _version(store: Store, settings: Settings, batch: str) -> dict[str, str] | None:
    """The version that counts as current; None while an input is missing."""
    try:
        return evidence_version(store, settings, batch)
    except MissingOutputError:
        return None


def _n_rounds(store: Store) -> int:
    """The further rounds, none while what they were proposed for is missing."""
    try:
        return n_rounds(store)
    except MissingOutputError:
        return 0
