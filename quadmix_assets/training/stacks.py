"""One part of a batch: a swarm that a single process trains and evaluates, and what it leaves.

A part that is done leaves its results as a file, and one in training its state, until the whole
batch is written. So a batch that was killed goes on where it was, and ends in the same numbers.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from upath import UPath

from quadmix_assets.device import is_out_of_memory, torch_threads
from quadmix_assets.hashing import Digest
from quadmix_assets.store import atomic_file
from quadmix_assets.training.architectures import ProxyShape
from quadmix_assets.training.checkpoint import Checkpoint
from quadmix_assets.training.evaluation import TargetWindows, evaluate_swarm
from quadmix_assets.training.loop import SwarmProgress, train_swarm
from quadmix_assets.training.progress import PartReport
from quadmix_assets.training.recipe import Recipe
from quadmix_assets.training.tensorboard import ScalarLog
from quadmix_assets.training.token_file import TokenPool
from quadmix_assets.training.trainer import ProxyTraining
from quadmix_assets.training.window_stream import WindowStream


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
    """What all parts of a batch share; it is sent to other processes, so it holds no open file.

    Attributes:
        tokens: local folder of the token pool.
        shape, recipe, vocab_size, separator_id: what is trained, and how.
        targets: what it is evaluated on.
        device: "auto", "cpu" or "cuda".
        compiled: "auto", "on" or "off".
        n_threads: CPU threads of a process.
        version: says what tokens and targets hold: what is kept of another version is not used.
        kept: folder for what parts leave; None keeps nothing.
        checkpoint_seconds: time between two states of a part in training.
        scalars: local folder of TensorBoard files; None writes none.
    """

    tokens: Path
    shape: ProxyShape
    recipe: Recipe
    vocab_size: int
    separator_id: int
    targets: Mapping[str, TargetWindows]
    device: str = "auto"
    compiled: str = "off"
    n_threads: int = 1
    version: str = ""
    kept: UPath | None = None
    checkpoint_seconds: float = 60.0
    scalars: Path | None = None


@dataclass(frozen=True)
class ProxyResult:
    """One proxy: its training, and per target set (loss in nats, bits per byte).

    A failed proxy has no losses but None: NaN would count as a number.
    """

    number: int
    training: ProxyTraining
    n_tokens_sample: int
    losses: dict[str, tuple[float | None, float | None]]

    def to_json(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ProxyResult":
        """The inverse of `to_json`."""
        training = dict(values["training"])
        training["train_loss"] = tuple(tuple(point) for point in training["train_loss"])
        losses = {target: (loss[0], loss[1]) for target, loss in values["losses"].items()}
        return cls(values["number"], ProxyTraining(**training), values["n_tokens_sample"], losses)


# The samples of a part's proxies, each with the id hashes (n,) of its documents.
Part = Sequence[tuple[Sample, np.ndarray]]
Report = Callable[[PartReport], None]

# By shape and vocabulary, the most proxies that this process has found to fit its memory.
_fits: dict[tuple[ProxyShape, int], int] = {}


def train_part(job: SwarmJob, part: Part, report: Report) -> list[ProxyResult]:
    """Train and evaluate the proxies of a part, in this process.

    All of them at once, or where the memory does not hold them half of them, and so on. What has
    been found to fit counts for the parts that follow.

    Raises:
        RuntimeError: the memory does not hold a single proxy.
    """
    what = (job.shape, job.vocab_size)
    waiting = _cut(part, _fits.get(what, len(part)))
    results: list[ProxyResult] = []
    done = PartReport(0, 0, None, 0)
    while waiting:
        piece = waiting.pop(0)
        try:
            found, last = _train_piece(job, piece, _after(done, report))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if len(piece) == 1:
                raise RuntimeError(
                    "the memory does not hold a single proxy: choose a smaller "
                    "proxies.training.shape, context or tokenizer vocabulary"
                ) from error
            torch.cuda.empty_cache()
            _fits[what] = -(-len(piece) // 2)
            waiting = _cut([*piece, *(one for rest in waiting for one in rest)], _fits[what])
        else:
            results += found
            done = _sum(done, last)
    return results


def part_key(job: SwarmJob, part: Part) -> str:
    """A hash of everything that decides the results of a part."""
    digest = Digest()
    for sample, hashes in part:
        digest.update(f"{sample.number},{sample.seed},{len(sample.documents)};".encode())
        for array in (sample.documents, sample.copies, hashes):
            digest.update(np.asarray(array, np.uint64).tobytes())
    settings = (job.shape, job.recipe, job.vocab_size, job.separator_id, job.version)
    targets = {name: (t.n_tokens, t.inputs.shape) for name, t in sorted(job.targets.items())}
    digest.update(repr((settings, targets, torch.__version__)).encode())
    return digest.hexdigest()


def _train_piece(job: SwarmJob, part: Part, report: Report) -> tuple[list[ProxyResult], PartReport]:
    key = part_key(job, part)
    results_file = job.kept / f"{key}.json" if job.kept else None
    if results_file is not None and results_file.exists():
        found = [ProxyResult.from_json(values) for values in json.loads(results_file.read_bytes())]
        n_tokens = sum(result.training.n_tokens for result in found)
        n_failed = sum(result.training.status == "failed" for result in found)
        last = PartReport(n_tokens, n_tokens, None, n_failed)
        report(last)
        return found, last
    checkpoint = (
        Checkpoint(job.kept / f"{key}.state", key, job.checkpoint_seconds) if job.kept else None
    )
    with torch_threads(job.n_threads):
        results, last = _compute(job, part, checkpoint, report)
    if results_file is not None:
        with atomic_file(results_file) as file:
            file.write(json.dumps([result.to_json() for result in results]).encode())
    if checkpoint is not None:
        checkpoint.remove()
    return results, last


def _compute(
    job: SwarmJob, part: Part, checkpoint: Checkpoint | None, report: Report
) -> tuple[list[ProxyResult], PartReport]:
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
    scalars = ScalarLog(job.scalars, [sample.number for sample, _ in part]) if job.scalars else None
    reports: list[PartReport] = []

    def on_progress(progress: SwarmProgress) -> None:
        kept = reports[0].n_tokens if reports else progress.n_tokens
        finite = progress.losses[np.isfinite(progress.losses)]
        loss = float(finite.mean()) if finite.size else None
        reports.append(PartReport(progress.n_tokens, kept, loss, progress.n_failed))
        report(reports[-1])
        if scalars is not None:
            scalars.add(progress)

    trained = train_swarm(
        streams,
        job.shape,
        job.recipe,
        vocab_size=job.vocab_size,
        seeds=[sample.seed for sample, _ in part],
        device=job.device,
        compiled=job.compiled,
        on_progress=on_progress,
        checkpoint=checkpoint,
    )
    losses = evaluate_swarm(trained, job.targets)
    results = [
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
    if scalars is not None:
        of_targets = [{t: loss[0] for t, loss in result.losses.items()} for result in results]
        scalars.close(of_targets, job.recipe.n_steps(job.shape.context))
    return results, reports[-1]


def _cut(part: Part, size: int) -> list[Part]:
    return [part[first : first + size] for first in range(0, len(part), size)]


def _after(done: PartReport, report: Report) -> Report:
    """A report of a piece becomes one of the part of which `done` was before."""
    return lambda now: report(_sum(done, now))


def _sum(done: PartReport, now: PartReport) -> PartReport:
    return PartReport(
        done.n_tokens + now.n_tokens,
        done.n_tokens_kept + now.n_tokens_kept,
        now.mean_loss_nats,
        done.n_failed + now.n_failed,
    )
