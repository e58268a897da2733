"""Measures the swarm on changed target sets by its kept weights, without training."""

import logging
from dataclasses import dataclass

from quadmix_assets.hashing import Digest
from quadmix_assets.outputs import PROXY_EVALUATION, PROXY_METRICS
from quadmix_assets.proxies.batch_weights import evaluate_batch
from quadmix_assets.proxies.evidence import (
    current_losses,
    evidence_version,
    training_version,
)
from quadmix_assets.proxies.swarm_progress import batches_of_swarm
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class SwarmEvaluation:
    """What was evaluated.

    Attributes:
        evaluated: batches that were measured on the present target sets just now.
        current: batches whose losses were current already.
        without_weights: batches with losses on other target sets whose weights were not kept, or
            are damaged: these have to be trained again.
        other_training: batches that have not been trained, or with another recipe, on other thetas
            or on another proxy pool.
    """

    evaluated: tuple[str, ...]
    current: tuple[str, ...]
    without_weights: tuple[str, ...]
    other_training: tuple[str, ...]

    def in_words(self) -> str:
        """What was done, and what there is to do."""
        parts = [f"{len(self.current)} batches are current, {len(self.evaluated)} were evaluated"]
        if self.without_weights:
            names = ", ".join(self.without_weights)
            parts.append(
                f"{len(self.without_weights)} have losses on other target sets and no weights "
                f"({names}): materialise these partitions of 'proxy_metrics' again, or of rounds "
                "'refinement'; proxies.keep_weights_gb says when weights are kept"
            )
        if self.other_training:
            parts.append(f"{len(self.other_training)} are not trained with the present recipe")
        return "; ".join(parts)


def evaluate_swarm(store: Store, settings: Settings) -> SwarmEvaluation:
    """Evaluate every batch that was trained as now, but measured on other target sets.

    Raises:
        MissingOutputError: an input is not there.
        ValueError: a target set holds no tokens.
    """
    evaluated, current, without_weights, other = [], [], [], []
    for batch in batches_of_swarm(store, settings):
        path = store.table_path(PROXY_METRICS, batch)
        version = evidence_version(store, settings, batch)
        trained_by = training_version(store, settings, batch)
        if not path.exists() or not _is_of(store.summary(path).get("version"), trained_by):
            other.append(batch)
        elif current_losses(store, batch, version) is not None:
            current.append(batch)
        else:
            result = evaluate_batch(store, settings, batch)
            if result is None:
                without_weights.append(batch)
                continue
            metrics = result.metrics.rename({"sample_id": "theta_id"})
            store.write_table(
                store.table_path(PROXY_EVALUATION, batch), metrics, {"version": version}
            )
            evaluated.append(batch)
            _LOGGER.info("%s: %d proxies evaluated", batch, len(result.trainings))
    return SwarmEvaluation(tuple(evaluated), tuple(current), tuple(without_weights), tuple(other))


def losses_version(store: Store, settings: Settings) -> str:
    """A hash of the current losses of all batches.

    Raises:
        MissingOutputError: an input is not there.
    """
    digest = Digest()
    for batch in batches_of_swarm(store, settings):
        path = current_losses(store, batch, evidence_version(store, settings, batch))
        if path is not None:
            digest.update(f"{batch}:{store.fingerprint(path)};".encode())
    return digest.hexdigest()


def _is_of(version: object, trained_by: dict[str, str]) -> bool:
    """Whether losses of some version are of proxies that were trained by `trained_by`."""
    return isinstance(version, dict) and trained_by.items() <= version.items()
