"""Trains large language models one by one, with the Trainer of transformers and Accelerate.

A model takes all GPUs of the machine: one process each, which read their own windows of every step
and average their gradients. What does not fit in memory is read in more, smaller passes.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.multiprocessing import ProcessRaisedException, start_processes
from upath import UPath

from quadmix_assets.device import choose_device, is_out_of_memory, torch_threads
from quadmix_assets.evidence.model_folder import of_stack
from quadmix_assets.store import Store, is_local, read_reusable
from quadmix_assets.store.temporaries import temporary_folder, write_at_once
from quadmix_assets.training.checkpoint import Checkpoint
from quadmix_assets.training.loop import StackProgress, TrainedStack
from quadmix_assets.training.model import StackedLM
from quadmix_assets.training.records import ProxyTraining
from quadmix_assets.training.stacks import Stack, StackJob
from quadmix_assets.training.train_stack import streams_of
from quadmix_assets.training.trainer import training_curve
from quadmix_assets.training.window_stream import WindowStream

if TYPE_CHECKING:
    from quadmix_assets.evidence.llama_trainer import Attempt, Outcome

# Tokens of a pass on a CPU, as of a stack; on a GPU the logits of a pass, of which there are four
# copies in 16 and 32 bits.
_PASS_TOKENS_CPU = 1 << 12
_PASS_LOGITS_GPU = 1 << 29
_POLL_SECONDS = 1.0
_RESULT_FILE, _PROGRESS_FILE = "result.pt", "progress.json"


def train_by_trainer(
    job: StackJob,
    stack: Stack,
    streams: Sequence[WindowStream],
    checkpoint: Checkpoint | None,
    on_progress: Callable[[StackProgress], None],
    *,
    n_processes: int | None = None,
) -> TrainedStack:
    """Train a stack of one model; an `Engine`.

    Args:
        job: what is trained, and how.
        stack: of one sample.
        streams: what it reads; left where the training ended.
        checkpoint: its folder is written during training, and resumed from.
        on_progress: called at the start, about every five seconds, and at the end.
        n_processes: that train the model; None is one per GPU.

    Raises:
        ValueError: the stack holds several samples, or a token is outside the vocabulary.
        RuntimeError: memory does not hold a single window.
    """
    if len(stack) != 1:
        raise ValueError(f"a stack of {len(stack)} models: the Trainer trains them one by one")
    (stream,) = streams
    device = choose_device(job.device)
    start = time.monotonic()
    if not stream.n_tokens_sample:
        failed = ProxyTraining("failed", "its sample holds no tokens", (), 0, 0.0)
        return TrainedStack(_silent(job, device), job.recipe, (failed,), 0.0)
    processes = _processes(job, device) if n_processes is None else n_processes
    of_process = job.recipe.batch_windows // processes
    windows = _divisor(of_process, _most_windows(job, device))
    while True:
        try:
            outcome = _attempt(
                job, stack, stream, checkpoint, on_progress, windows, processes, device
            )
            break
        except (RuntimeError, ProcessRaisedException) as error:
            short = is_out_of_memory(error) or "OutOfMemoryError" in str(error)
            if not short or windows == 1:
                raise
            windows = _divisor(of_process, windows // 2)
        torch.cuda.empty_cache()
    model, record = _finished(job, stream, outcome, device)
    return TrainedStack(model, job.recipe, (record,), time.monotonic() - start)


def _attempt(
    job: StackJob,
    stack: Stack,
    stream: WindowStream,
    checkpoint: Checkpoint | None,
    on_progress: Callable[[StackProgress], None],
    windows_per_pass: int,
    n_processes: int,
    device: torch.device,
) -> "Outcome":
    """A training with so many windows per pass; from the checkpoint, if there is one."""
    # Imported late: it takes seconds.
    from quadmix_assets.evidence.llama_trainer import Attempt, train_llama

    with ExitStack() as opened:
        folder = None if checkpoint is None else checkpoint.folder
        attempt = Attempt(
            working_folder=opened.enter_context(_working_folder(folder)),
            checkpoint=folder,
            checkpoint_seconds=job.checkpoint_seconds,
            resume_from=None if folder is None else _saved(folder, opened),
            windows_per_pass=windows_per_pass,
            n_processes=n_processes,
            on_cpu=device.type == "cpu",
        )
        # With several GPUs in sight, the Trainer of a single process would use all of them in
        # threads.
        if n_processes > 1 or (device.type == "cuda" and torch.cuda.device_count() > 1):
            return _train_in_processes(job, stack, stream, attempt, on_progress, device)
        return train_llama(job, stack[0][0].seed, stream, attempt, on_progress)


def _finished(
    job: StackJob, stream: WindowStream, outcome: "Outcome", device: torch.device
) -> tuple[StackedLM, ProxyTraining]:
    """The model as a stack of one, and the record of its training."""
    tokens_per_step = job.recipe.batch_windows * job.architecture.context
    # The step that failed does not count.
    n_done = len(outcome.losses)
    if n_done and not np.isfinite(outcome.losses[-1]):
        n_done -= 1
    curve = training_curve(outcome.losses[:n_done], tokens_per_step)
    n_tokens = n_done * tokens_per_step
    if outcome.failure is not None:
        record = ProxyTraining("failed", outcome.failure, curve, n_tokens, stream.epochs)
        return _silent(job, device), record
    model = StackedLM(job.architecture, job.vocab_size, [0])
    parameters = of_stack(outcome.weights, job.architecture)
    model.load_state_dict({name: value.float()[None] for name, value in parameters.items()})
    return model.to(device), ProxyTraining("trained", None, curve, n_tokens, stream.epochs)


def _silent(job: StackJob, device: torch.device) -> StackedLM:
    model = StackedLM(job.architecture, job.vocab_size, [0])
    model.silence(0)
    return model.to(device)


@contextmanager
def _working_folder(checkpoint: UPath | None) -> Iterator[Path]:
    """A local folder for the time of a training, on the disk of the checkpoint if that is local."""
    if checkpoint is not None and is_local(checkpoint):
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(checkpoint) as folder:
            yield folder
    else:
        with TemporaryDirectory(ignore_cleanup_errors=True) as name:
            yield Path(name)


def _saved(checkpoint: UPath, opened: ExitStack) -> Path | None:
    """A local copy of a checkpoint; None if there is none, or it is damaged."""
    return read_reusable(
        lambda: opened.enter_context(Store(checkpoint.parent).local_folder(checkpoint)),
        "the model is trained again",
    )


def _most_windows(job: StackJob, device: torch.device) -> int:
    """Windows of a process in one pass, by a guess that is lowered where memory is short."""
    if device.type == "cpu":
        return max(1, _PASS_TOKENS_CPU // job.architecture.context)
    return max(1, _PASS_LOGITS_GPU // (job.vocab_size * job.architecture.context))


def _processes(job: StackJob, device: torch.device) -> int:
    """One per GPU, unless one is named; they have to share the windows of a step evenly."""
    if device.type != "cuda" or job.device not in ("auto", "cuda"):
        return 1
    return _divisor(job.recipe.batch_windows, torch.cuda.device_count())


def _divisor(number: int, most: int) -> int:
    """The largest divisor of a number that is not above `most`, at least 1."""
    return next(each for each in range(max(1, min(number, most)), 0, -1) if number % each == 0)


def _train_in_processes(
    job: StackJob,
    stack: Stack,
    stream: WindowStream,
    attempt: "Attempt",
    on_progress: Callable[[StackProgress], None],
    device: torch.device,
) -> "Outcome":
    """A training by several processes, which end with this one."""
    from quadmix_assets.evidence.llama_trainer import Outcome, progress_from_json

    processes = start_processes(
        _train_in_process,
        (job, stack, attempt, _free_port(), device.index or 0),
        attempt.n_processes,
        join=False,
        start_method="spawn",
    )
    told = b""
    try:
        ended = False
        while not ended:
            ended = processes.join(timeout=_POLL_SECONDS)
            path = attempt.working_folder / _PROGRESS_FILE
            content = path.read_bytes() if path.exists() else told
            if content != told:
                told = content
                on_progress(progress_from_json(content))
    finally:
        for process in processes.processes:
            process.kill()
    found = torch.load(attempt.working_folder / _RESULT_FILE, weights_only=True)
    losses = found["losses"].numpy()
    stream.seek(len(losses) * job.recipe.batch_windows * stream.window_tokens)
    return Outcome(found["weights"], losses, found["failure"])


def _train_in_process(
    rank: int, job: StackJob, stack: Stack, attempt: "Attempt", port: int, first_device: int
) -> None:
    """The part of a training that process number `rank` has; the first one writes the result."""
    from quadmix_assets.evidence.llama_trainer import progress_json, train_llama

    # Accelerate reads these names.
    os.environ |= {
        "RANK": str(rank),
        # A single process takes the GPU that was chosen.
        "LOCAL_RANK": str(rank if attempt.n_processes > 1 else first_device),
        "WORLD_SIZE": str(attempt.n_processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }

    def report(progress: StackProgress) -> None:
        write_at_once(attempt.working_folder / _PROGRESS_FILE, progress_json(progress))

    (stream,) = streams_of(job, stack)
    with torch_threads(job.n_threads):
        outcome = train_llama(
            job,
            stack[0][0].seed,
            stream,
            replace(attempt, rank=rank),
            report if rank == 0 else lambda _: None,
        )
    if rank == 0:
        result = {
            "weights": outcome.weights,
            "losses": torch.from_numpy(outcome.losses),
            "failure": outcome.failure,
        }
        torch.save(result, attempt.working_folder / _RESULT_FILE)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
