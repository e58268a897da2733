"""Trains further rounds of proxies, one after the other, and goes on where it was interrupted.

A round is proposed from the losses of all earlier ones, so each is finished before the next begins.
Its thetas are stored before its first proxy is trained, and the losses of each batch as soon as it
is done: a run that was killed finds both again.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from quadmix_assets.hashing import Digest
from quadmix_assets.outputs import PROXY_METRICS, UNFINISHED_REFINEMENT
from quadmix_assets.proxies.evidence import is_trained
from quadmix_assets.proxies.parameter_sets import (
    batch_names,
    n_rounds,
    read_batch,
    round_basis,
    round_path,
    write_round,
)
from quadmix_assets.proxies.sample_batch import rank_batch, sample_batch
from quadmix_assets.proxies.train_batch import train_batch
from quadmix_assets.search.refine import n_thetas_of_round, propose_round
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store, read_reusable
from quadmix_assets.training.progress import BatchProgress, duration

_LOGGER = logging.getLogger(__name__)

_REQUEST = "request.json"


@dataclass(frozen=True)
class RoundsProgress:
    """The progress of a refinement over all its rounds.

    Attributes:
        round: the round in training, from 1.
        n_rounds: all rounds.
        batch: the batch in training, from 1.
        n_batches: the batches of this round.
        share_done: share of the training of all rounds that is done, in [0, 1].
        eta_seconds: remaining time of all rounds at the rate of this batch; infinite before its
            first steps.
        training: of the batch.
    """

    round: int
    n_rounds: int
    batch: int
    n_batches: int
    share_done: float
    eta_seconds: float
    training: BatchProgress

    def __str__(self) -> str:
        """One line for a log."""
        eta = duration(self.eta_seconds) if np.isfinite(self.eta_seconds) else "unknown"
        return (
            f"round {self.round} of {self.n_rounds}, batch {self.batch} of {self.n_batches}, "
            f"{self.share_done:.0%} done, ETA {eta}"
        )


@dataclass(frozen=True)
class RefinementSummary:
    """What a refinement did.

    Attributes:
        n_rounds: further rounds that are there now.
        trained: the batches that were trained, in order.
        kept: batches that had current losses already.
        predicted: of the rounds that were proposed, see `Round.predicted`.
    """

    n_rounds: int
    trained: tuple[str, ...]
    kept: tuple[str, ...]
    predicted: pl.DataFrame


def refine(
    store: Store,
    settings: Settings,
    further_rounds: int,
    on_progress: Callable[[RoundsProgress], None],
) -> RefinementSummary:
    """Train the rounds that the settings ask for and those that are there, and `further_rounds`.

    Rounds whose basis (the thetas of round 0 and the proxy pool) has changed are not there any
    more. After an interruption, a call with the same `further_rounds` goes on and adds no rounds to
    those of the interrupted one.

    Raises:
        MissingOutputError: the swarm has not been trained, or another input is not there.
        ValueError: there are too few proxies to fit a regressor to, or a target set holds no
            tokens.
        InfeasibleError: a theta cannot satisfy the constraints.
        RuntimeError: a worker process died, or a single proxy does not fit in memory.
    """
    wanted = _n_rounds_wanted(store, settings, further_rounds)
    trained: list[str] = []
    kept: list[str] = []
    predicted = []
    bar = _Bar(store, settings, wanted, on_progress)
    for number in range(1, wanted + 1):
        if number > n_rounds(store):
            proposed = propose_round(store, settings, number)
            write_round(store, settings, number, proposed.thetas)
            predicted.append(proposed.predicted)
            _LOGGER.info("round %d of %d: %d thetas", number, wanted, len(proposed.thetas))
        batches = batch_names(store, number)
        for index, batch in enumerate(batches, start=1):
            if is_trained(store, settings, batch):
                kept.append(batch)
                continue
            rank_batch(store, settings, batch)
            sample_batch(store, settings, batch)
            train_batch(store, settings, batch, bar.of_batch(number, index, len(batches)))
            bar.add(len(read_batch(store, settings, batch)))
            trained.append(batch)
    store.remove_folder(store.root / UNFINISHED_REFINEMENT)
    return RefinementSummary(
        wanted, tuple(trained), tuple(kept), pl.concat(predicted) if predicted else pl.DataFrame()
    )


def refinement_version(store: Store) -> str:
    """A hash of the thetas and the losses of all further rounds.

    Raises:
        MissingOutputError: a batch of them has no losses.
    """
    digest = Digest()
    for number in range(1, n_rounds(store) + 1):
        digest.update(store.fingerprint(round_path(store, number)).encode())
        for batch in batch_names(store, number):
            digest.update(store.fingerprint(store.table_path(PROXY_METRICS, batch)).encode())
    return digest.hexdigest()


def _n_rounds_wanted(store: Store, settings: Settings, further_rounds: int) -> int:
    """All rounds that are to be there at the end.

    A request for further rounds is recorded until they are trained, so that the same request after
    an interruption is not taken for another one.
    """
    asked, there = settings.search.refine.rounds, n_rounds(store)
    if not further_rounds:
        return max(asked, there)
    request = {"further_rounds": further_rounds, "basis": round_basis(store)}
    path = store.path(UNFINISHED_REFINEMENT, _REQUEST)
    unfinished = read_reusable(
        lambda: dict(store.read_json(path)), "the request counts as a new one"
    )
    if unfinished is not None and {key: unfinished[key] for key in request} == request:
        return max(asked, int(unfinished["n_rounds"]))
    wanted = max(asked, there) + further_rounds
    store.write_json(path, {**request, "n_rounds": wanted})
    return wanted


class _Bar:
    """The progress over all rounds, from the progress of one batch after the other."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        n_rounds_wanted: int,
        tell: Callable[[RoundsProgress], None],
    ) -> None:
        there = n_rounds(store)
        self._n_rounds = n_rounds_wanted
        self._tell = tell
        self._total = n_thetas_of_round(settings) * (n_rounds_wanted - there)
        self._done = 0
        for number in range(1, there + 1):
            self._total += store.n_rows(round_path(store, number))
            for batch in batch_names(store, number):
                if is_trained(store, settings, batch):
                    self._done += len(read_batch(store, settings, batch))

    def add(self, n_proxies: int) -> None:
        """Count the proxies of a batch that is done."""
        self._done += n_proxies

    def of_batch(self, number: int, batch: int, n_batches: int) -> Callable[[BatchProgress], None]:
        """What a batch in training reports its progress to."""

        def tell(progress: BatchProgress) -> None:
            share = progress.n_tokens / max(progress.n_tokens_total, 1)
            done = self._done + share * progress.n_proxies
            after = self._total - self._done - progress.n_proxies
            seconds_per_proxy = (
                progress.n_tokens_total / progress.n_proxies / progress.tokens_per_second
                if progress.tokens_per_second > 0
                else float("inf")
            )
            later = after * seconds_per_proxy if after else 0.0
            now = RoundsProgress(
                round=number,
                n_rounds=self._n_rounds,
                batch=batch,
                n_batches=n_batches,
                share_done=done / self._total,
                eta_seconds=progress.eta_seconds + later,
                training=progress,
            )
            self._tell(now)

        return tell
