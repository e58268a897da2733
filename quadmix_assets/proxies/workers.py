"""Trains swarms of proxies in worker processes; what comes back is small."""

import functools
import multiprocessing
import multiprocessing.util
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quadmix_assets.proxies.evaluation import TargetWindows, evaluate_swarm
from quadmix_assets.proxies.packing import WindowStream
from quadmix_assets.proxies.recipe import Recipe
from quadmix_assets.proxies.shapes import ProxyShape
from quadmix_assets.proxies.token_pool import TokenPool
from quadmix_assets.proxies.training import ProxyTraining, SwarmProgress, train_swarm


@dataclass(frozen=True)
class Sample:
    """What one proxy is trained on: documents of a token pool, with copies.

    Attributes:
        number: the number of theta, or of whatever else chose the sample.
        documents: (n,) indices into the pool.
        copies: (n,) how often each is taken.
        seed: of initialisation and order.
    """

    number: int
    documents: np.ndarray
    copies: np.ndarray
    seed: int


@dataclass(frozen=True)
class SwarmJob:
    """What all swarms of a batch share; it is sent to the workers, so it holds no open file."""

    tokens: Path
    shape: ProxyShape
    recipe: Recipe
    vocab_size: int
    separator_id: int
    targets: Mapping[str, TargetWindows]
    device: str
    n_threads: int


@dataclass(frozen=True)
class ProxyResult:
    """One proxy: its training, and per target set (loss in nats, bits per byte).

    A failed proxy has no losses but None: NaN would count as a number.
    """

    number: int
    training: ProxyTraining
    n_tokens_sample: int
    losses: dict[str, tuple[float | None, float | None]]


Part = Sequence[tuple[Sample, np.ndarray]]


def run_swarms(
    job: SwarmJob,
    parts: Sequence[Part],
    *,
    n_workers: int,
    log: Callable[[str], None],
) -> Iterator[list[ProxyResult]]:
    """Train each part, (sample, id hashes of its documents) of every proxy, as one swarm.

    Results come as they are ready, in no order.

    Raises:
        RuntimeError: a worker process died, for want of memory most likely.
    """
    if n_workers == 1 or len(parts) == 1:

        def on_progress(progress: SwarmProgress) -> None:
            log(
                f"step {progress.step} of {progress.n_steps}, "
                f"{progress.tokens_per_second:,.0f} tokens/s, mean loss "
                f"{progress.mean_loss_nats:.3f}, {progress.eta_seconds:.0f} s to go"
            )

        for part in parts:
            yield train_part(job, part, on_progress)
        return
    futures: list[Future[list[ProxyResult]]] = []
    try:
        # A pool of which a worker died since the last batch says so here already.
        futures += [_pool(n_workers).submit(train_part, job, part) for part in parts]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool as error:
        _pool.cache_clear()
        raise RuntimeError(
            "a process that trains proxies died, most likely for want of memory: lower "
            "proxies.n_workers or proxies.swarm_size"
        ) from error
    finally:
        for future in futures:
            future.cancel()


def train_part(
    job: SwarmJob, part: Part, on_progress: Callable[[SwarmProgress], None] | None = None
) -> list[ProxyResult]:
    """Train and evaluate one swarm, in this process."""
    pool = TokenPool.open(job.tokens)
    streams = [
        WindowStream(
            pool,
            sample.documents,
            sample.copies,
            hashes,
            seed=sample.seed,
            context=job.shape.context,
            separator_id=job.separator_id,
        )
        for sample, hashes in part
    ]
    trained = train_swarm(
        streams,
        job.shape,
        job.recipe,
        vocab_size=job.vocab_size,
        seeds=[sample.seed for sample, _ in part],
        device=job.device,
        n_threads=job.n_threads,
        on_progress=on_progress,
    )
    losses = evaluate_swarm(trained, job.targets, n_threads=job.n_threads)
    return [
        ProxyResult(
            number=sample.number,
            training=proxy,
            n_tokens_sample=streams[k].n_tokens_sample,
            losses={
                target: (float(loss.loss_nats[k]), float(loss.bits_per_byte[k]))
                if proxy.status == "trained"
                else (None, None)
                for target, loss in losses.items()
            },
        )
        for k, ((sample, _), proxy) in enumerate(zip(part, trained.proxies, strict=True))
    ]


@functools.cache
def _pool(n_workers: int) -> ProcessPoolExecutor:
    # Kept between batches: a worker takes seconds to import torch. Spawned, not forked, because
    # the parent has threads of its own.
    pool = ProcessPoolExecutor(
        n_workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_leave_with_parent,
        initargs=(os.getpid(),),
    )
    # A process that multiprocessing started, as Dagster's steps are, joins its children at its end
    # before executors are shut down: idle workers would wait for work, and it for them, for ever.
    multiprocessing.util.Finalize(None, _end_workers, exitpriority=10)
    return pool


def _end_workers() -> None:
    for child in multiprocessing.active_children():
        child.terminate()


def _leave_with_parent(parent: int) -> None:
    """End this worker when its parent is gone: a killed run must not leave workers behind."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
