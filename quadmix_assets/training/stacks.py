"""A stack: the proxies that a single process trains as one batched model, and what it leaves.

A stack that is done leaves its results as a file, and one in training its state, until the whole
batch is written. So a batch that was killed goes on where it was, and ends in the same numbers.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xxhash
from upath import UPath

from quadmix_assets.device import is_out_of_memory, torch_threads
from quadmix_assets.settings import TrainingSettings
from quadmix_assets.store import atomic_file
from quadmix_assets.training.architectures import Architecture
from quadmix_assets.training.checkpoint import Checkpoint
from quadmix_assets.training.evaluation import TargetWindows, evaluate_stack
from quadmix_assets.training.loop import StackProgress, train_on_streams
from quadmix_assets.training.progress import StackReport
from quadmix_assets.training.recipe import n_steps
from quadmix_assets.training.tensorboard import TensorBoardLog
from quadmix_assets.training.token_file import TokenFile
from quadmix_assets.training.trainer import ProxyTraining
from quadmix_assets.training.window_stream import WindowStream


@dataclass(frozen=True)
class Sample:
    """What one proxy is trained on: documents of a token file, with copies.

    Attributes:
        sample_id: the theta_id, or the number of whatever else chose the sample.
        documents: (n,) indices of its documents.
        copies: (n,) how often each is taken.
        seed: of initialisation and order.
    """

    sample_id: int
    documents: np.ndarray
    copies: np.ndarray
    seed: int


@dataclass(frozen=True)
class StackJob:
    """What all stacks of a batch share; it is sent to other processes, so it holds no open file.

    Attributes:
        token_folder: local folder of the token file.
        architecture, recipe, vocab_size, separator_id: what is trained, and how.
        targets: what it is evaluated on.
        device: "auto", "cpu" or "cuda".
        compiled: "auto", "on" or "off".
        n_threads: CPU threads of a process.
        inputs_version: says what tokens and targets hold: what is kept of another version is not used.
        unfinished_folder: folder for what stacks leave; None keeps nothing.
        checkpoint_seconds: time between two states of a stack in training.
        tensorboard_folder: local folder of TensorBoard files; None writes none.
    """

    token_folder: Path
    architecture: Architecture
    recipe: TrainingSettings
    vocab_size: int
    separator_id: int
    targets: Mapping[str, TargetWindows]
    device: str = "auto"
    compiled: str = "off"
    n_threads: int = 1
    inputs_version: str = ""
    unfinished_folder: UPath | None = None
    checkpoint_seconds: float = 60.0
    tensorboard_folder: Path | None = None


@dataclass(frozen=True)
class ProxyResult:
    """One proxy: its training, and per target set (loss in nats, bits per byte).

    A failed proxy has no losses but None: NaN would count as a number.
    """

    sample_id: int
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
        return cls(
            values["sample_id"], ProxyTraining(**training), values["n_tokens_sample"], losses
        )


# The samples of a stack's proxies, each with the id hashes (n,) of its documents.
Stack = Sequence[tuple[Sample, np.ndarray]]
Report = Callable[[StackReport], None]

# By architecture and vocabulary, the most proxies that this process has found to fit its memory.
_fits: dict[tuple[Architecture, int], int] = {}


def train_stack(job: StackJob, stack: Stack, report: Report) -> list[ProxyResult]:
    """Train and evaluate the proxies of a stack, in this process.

    All of them at once, or where the memory does not hold them half of them, and so on. What has
    been found to fit counts for the stacks that follow.

    Raises:
        RuntimeError: the memory does not hold a single proxy.
    """
    what = (job.architecture, job.vocab_size)
    waiting = _cut(stack, _fits.get(what, len(stack)))
    results: list[ProxyResult] = []
    done = StackReport(0, 0, None, 0)
    while waiting:
        smaller = waiting.pop(0)
        try:
            found, last = _train_or_reuse(job, smaller, _after(done, report))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if len(smaller) == 1:
                raise RuntimeError(
                    "the memory does not hold a single proxy: choose a smaller "
                    "proxies.training.architecture, context or tokenizer vocabulary"
                ) from error
            torch.cuda.empty_cache()
            _fits[what] = -(-len(smaller) // 2)
            waiting = _cut([*smaller, *(one for rest in waiting for one in rest)], _fits[what])
        else:
            results += found
            done = _sum(done, last)
    return results


def stack_key(job: StackJob, stack: Stack) -> str:
    """A hash of everything that decides the results of a stack."""
    digest = xxhash.xxh3_128()
    for sample, hashes in stack:
        digest.update(f"{sample.sample_id},{sample.seed},{len(sample.documents)};".encode())
        for array in (sample.documents, sample.copies, hashes):
            digest.update(np.asarray(array, np.uint64).tobytes())
    settings = (job.architecture, job.recipe, job.vocab_size, job.separator_id, job.inputs_version)
    targets = {name: (t.n_tokens, t.inputs.shape) for name, t in sorted(job.targets.items())}
    digest.update(repr((settings, targets, torch.__version__)).encode())
    return digest.hexdigest()


def _train_or_reuse(
    job: StackJob, stack: Stack, report: Report
) -> tuple[list[ProxyResult], StackReport]:
    key = stack_key(job, stack)
    results_file = job.unfinished_folder / f"{key}.json" if job.unfinished_folder else None
    if results_file is not None and results_file.exists():
        found = [ProxyResult.from_json(values) for values in json.loads(results_file.read_bytes())]
        n_tokens = sum(result.training.n_tokens for result in found)
        n_failed = sum(result.training.status == "failed" for result in found)
        last = StackReport(n_tokens, n_tokens, None, n_failed)
        report(last)
        return found, last
    checkpoint = (
        Checkpoint(job.unfinished_folder / f"{key}.state", key, job.checkpoint_seconds)
        if job.unfinished_folder
        else None
    )
    with torch_threads(job.n_threads):
        results, last = _compute(job, stack, checkpoint, report)
    if results_file is not None:
        with atomic_file(results_file) as file:
            file.write(json.dumps([result.to_json() for result in results]).encode())
    if checkpoint is not None:
        checkpoint.remove()
    return results, last


def _compute(
    job: StackJob, stack: Stack, checkpoint: Checkpoint | None, report: Report
) -> tuple[list[ProxyResult], StackReport]:
    token_file = TokenFile.open(job.token_folder)
    streams = [
        WindowStream(
            token_file,
            sample.documents,
            sample.copies,
            hashes,
            seed=sample.seed,
            context=job.architecture.context,
            separator_id=job.separator_id,
        )
        for sample, hashes in stack
    ]
    tensorboard = (
        TensorBoardLog(job.tensorboard_folder, [sample.sample_id for sample, _ in stack])
        if job.tensorboard_folder
        else None
    )
    reports: list[StackReport] = []

    def on_progress(progress: StackProgress) -> None:
        n_resumed = reports[0].n_tokens if reports else progress.n_tokens
        finite = progress.losses[np.isfinite(progress.losses)]
        loss = float(finite.mean()) if finite.size else None
        reports.append(StackReport(progress.n_tokens, n_resumed, loss, progress.n_failed))
        report(reports[-1])
        if tensorboard is not None:
            tensorboard.add(progress)

    trained = train_on_streams(
        streams,
        job.architecture,
        job.recipe,
        vocab_size=job.vocab_size,
        seeds=[sample.seed for sample, _ in stack],
        device=job.device,
        compiled=job.compiled,
        on_progress=on_progress,
        checkpoint=checkpoint,
    )
    losses = evaluate_stack(trained, job.targets)
    results = [
        ProxyResult(
            sample_id=sample.sample_id,
            training=proxy,
            n_tokens_sample=streams[k].n_tokens_sample,
            losses={
                target: (float(loss.loss_nats[k]), float(loss.bits_per_byte[k]))
                if proxy.status == "trained"
                else (None, None)
                for target, loss in losses.items()
            },
        )
        for k, ((sample, _), proxy) in enumerate(zip(stack, trained.proxies, strict=True))
    ]
    if tensorboard is not None:
        of_targets = [{t: loss[0] for t, loss in result.losses.items()} for result in results]
        tensorboard.close(of_targets, n_steps(job.recipe, job.architecture.context))
    return results, reports[-1]


def _cut(stack: Stack, size: int) -> list[Stack]:
    return [stack[first : first + size] for first in range(0, len(stack), size)]


def _after(done: StackReport, report: Report) -> Report:
    """A report of a smaller becomes one of the stack of which `done` was before."""
    return lambda now: report(_sum(done, now))


def _sum(done: StackReport, now: StackReport) -> StackReport:
    return StackReport(
        done.n_tokens + now.n_tokens,
        done.n_tokens_resumed + now.n_tokens_resumed,
        now.mean_loss_nats,
        done.n_failed + now.n_failed,
    )
