"""Train K proxies at once, each on its own stream of windows, none able to touch another."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from quadmix_assets.device import choose_compiled, choose_device
from quadmix_assets.settings import TrainingSettings
from quadmix_assets.training.architectures import Architecture
from quadmix_assets.training.checkpoint import Checkpoint
from quadmix_assets.training.model import StackedLM
from quadmix_assets.training.trainer import ProxyTraining, StackTrainer
from quadmix_assets.training.window_stream import WindowStream

_TELL_SECONDS = 5.0


@dataclass(frozen=True)
class StackProgress:
    """Where the training of one stack stands.

    Attributes:
        step: steps that all proxies have made.
        n_steps: steps they will have made at the end.
        n_tokens: tokens that all proxies together have been trained to predict.
        learning_rate: of the last step.
        losses: (K,) mean training loss in nats since the last report; NaN where a proxy failed,
            and for all where no step was made.
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
    """The trained model, the record of each of its K proxies, and the seconds they took."""

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
        streams: the K samples, each cut to windows of `architecture.context` + 1 tokens.
        architecture: the proxies' size.
        recipe: budget and optimiser.
        vocab_size: of the tokenizer.
        seeds: (K) of the initial weights; equal seeds start equal proxies.
        device: "auto", "cpu" or "cuda".
        compiled: "on", "off" or "auto": whether torch.compile fuses the training step.
        on_progress: called at the start, about every five seconds, and at the end.
        checkpoint: where the state is put away in between, and where the training goes on from
            if there is one.

    A stream without tokens gives a failed proxy, not an error. Raises ValueError where streams,
    seeds and architecture do not fit each other, or a token is outside the vocabulary.
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
    told_step, told_at = trainer.step, -np.inf
    while trainer.step < trainer.n_steps:
        if on_progress and time.monotonic() - told_at >= _TELL_SECONDS:
            on_progress(_progress(trainer, told_step))
            told_step, told_at = trainer.step, time.monotonic()
        trainer.advance()
        if checkpoint and checkpoint.is_due:
            checkpoint.save(trainer.state())
    if on_progress:
        on_progress(_progress(trainer, told_step))
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
