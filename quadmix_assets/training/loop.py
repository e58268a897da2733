"""Trains K proxies at once, each on its own stream of windows, with checkpoints."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from quadmix_assets.device import choose_compiled, choose_device
from quadmix_assets.settings import TrainingSettings
from quadmix_assets.training.architectures import Architecture
from quadmix_assets.training.checkpoint import Checkpoint
from quadmix_assets.training.model import StackedLM
from quadmix_assets.training.records import ProxyTraining
from quadmix_assets.training.trainer import StackTrainer
from quadmix_assets.training.window_stream import WindowStream

_REPORT_SECONDS = 5.0


@dataclass(frozen=True)
class StackProgress:
    """The progress of one stack in training.

    Attributes:
        step: optimiser steps done, the same for all proxies.
        n_steps: optimiser steps of the whole training.
        n_tokens: tokens that all proxies together have been trained to predict.
        learning_rate: of the last step.
        losses: (K,) mean training loss in nats since the last report; NaN for failed proxies, and
            for all if there was no step since.
        n_failed: proxies that failed.
    """

    step: int
    n_steps: int
    n_tokens: int
    learning_rate: float
    losses: np.ndarray
    n_failed: int


@dataclass(frozen=True)
class TrainedStack:
    """The trained stack, the record of each of its K proxies, and the seconds of training."""

    model: StackedLM
    recipe: TrainingSettings
    proxies: tuple[ProxyTraining, ...]
    seconds: float


def train_on_streams(
    streams: Sequence[WindowStream],
    architecture: Architecture,
    recipe: TrainingSettings,
    *,
    vocab_size: int,
    seeds: Sequence[int],
    device: str = "auto",
    compiled: str = "off",
    on_progress: Callable[[StackProgress], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> TrainedStack:
    """Train one proxy per stream from scratch, all of them as one batched model.

    Args:
        streams: K samples as windows of `architecture.context` + 1 tokens.
        architecture: of the proxies.
        recipe: budget, optimiser and precision.
        vocab_size: of the tokenizer.
        seeds: K seeds of the initial weights; equal seeds give equal weights.
        device: "auto", "cpu" or "cuda".
        compiled: "on", "off" or "auto": whether torch.compile fuses the training step.
        on_progress: called at the start, about every five seconds, and at the end.
        checkpoint: the file that the state is saved to during training; if it holds a state
            already, training resumes from it.

    Returns:
        The trained stack. A stream without tokens gives a failed proxy, not an error.

    Raises:
        ValueError: streams, seeds and architecture do not fit each other, or a token is outside
            the vocabulary.
    """
    if not streams or len(streams) != len(seeds):
        raise ValueError(f"{len(streams)} streams and {len(seeds)} seeds: one of each per proxy")
    chosen = choose_device(device)
    trainer = StackTrainer(
        streams,
        architecture,
        recipe,
        vocab_size,
        seeds,
        chosen,
        compiled=choose_compiled(compiled, chosen),
    )
    start = time.monotonic()
    state = checkpoint.load() if checkpoint else None
    if state is not None:
        trainer.load_state(state)
    reported_step, reported_at = trainer.step, -np.inf
    while trainer.step < trainer.n_steps:
        if on_progress and time.monotonic() - reported_at >= _REPORT_SECONDS:
            on_progress(_progress(trainer, reported_step))
            reported_step, reported_at = trainer.step, time.monotonic()
        trainer.advance()
        if checkpoint and checkpoint.is_due:
            checkpoint.save(trainer.state())
    if on_progress:
        on_progress(_progress(trainer, reported_step))
    return TrainedStack(trainer.model, recipe, trainer.finish(), time.monotonic() - start)


def _progress(trainer: StackTrainer, since: int) -> StackProgress:
    return StackProgress(
        step=trainer.step,
        n_steps=trainer.n_steps,
        n_tokens=trainer.n_tokens,
        learning_rate=trainer.learning_rate,
        losses=trainer.losses_since(since),
        n_failed=len(trainer.failures),
    )
