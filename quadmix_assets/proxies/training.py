"""Train K proxies at once, each on its own stream of windows, none able to touch another.

On a CPU the swarm is trained in groups of a few proxies, enough to make the operations worth their
calls and few enough for the processor's cache; each group is one thread's work. On a GPU all
proxies are one group.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event

import numpy as np
import torch
from torch import Tensor

from quadmix_assets.proxies.model import SwarmLM
from quadmix_assets.proxies.packing import WindowStream
from quadmix_assets.proxies.recipe import Recipe
from quadmix_assets.proxies.shapes import ProxyShape
from quadmix_assets.proxies.threads import run_in_threads
from quadmix_assets.proxies.trainer import ProxyTraining, SwarmTrainer

# Tokens of one group's step on a CPU. It must not depend on the number of threads: groups decide
# the sizes of arrays, and those could decide the last bits of a sum.
_GROUP_TOKENS = 4096


@dataclass(frozen=True)
class SwarmProgress:
    """Where a training stands, all its proxies together.

    `step` is the mean over proxies, which on a CPU take turns; `mean_loss_nats` that of the last
    steps of the living proxies (NaN where there are none).
    """

    step: int
    n_steps: int
    n_failed: int
    mean_loss_nats: float
    tokens_per_second: float
    eta_seconds: float


@dataclass(frozen=True)
class TrainedSwarm:
    """The trained models, the record of each of the K proxies, and the seconds all took together.

    `groups` hold the proxies in order.
    """

    groups: tuple[SwarmLM, ...]
    recipe: Recipe
    proxies: tuple[ProxyTraining, ...]
    seconds: float

    @property
    def shape(self) -> ProxyShape:
        """The proxies' shape."""
        return self.groups[0].shape

    def state_of(self, k: int) -> dict[str, Tensor]:
        """Proxy k's weights, named and laid out as in transformers' LlamaForCausalLM."""
        for group in self.groups:
            if k < group.n_proxies:
                return group.state_of(k)
            k -= group.n_proxies
        raise IndexError(f"the swarm has {len(self.proxies)} proxies")


def choose_device(device: str) -> torch.device:
    """The torch device of that name; "auto" is a GPU where there is one, else the CPU."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def train_swarm(
    streams: Sequence[WindowStream],
    shape: ProxyShape,
    recipe: Recipe,
    *,
    vocab_size: int,
    seeds: Sequence[int],
    device: str = "auto",
    n_threads: int | None = None,
    on_progress: Callable[[SwarmProgress], None] | None = None,
) -> TrainedSwarm:
    """Train one proxy per stream from scratch.

    Args:
        streams: the K samples, each cut to windows of `shape.context` + 1 tokens.
        shape: the proxies' size.
        recipe: budget and optimiser.
        vocab_size: of the pool's tokenizer.
        seeds: (K) of the initial weights; equal seeds start equal proxies.
        device: "auto", "cpu" or "cuda".
        n_threads: CPU threads; None takes torch's number. It changes the time, never a result.
        on_progress: called about every five seconds, and at the end.

    A stream without tokens gives a failed proxy, not an error. Raises ValueError where streams,
    seeds and shape do not fit each other, or a token is outside the vocabulary.
    """
    if not streams or len(streams) != len(seeds):
        raise ValueError(f"{len(streams)} streams and {len(seeds)} seeds: one of each per proxy")
    chosen = choose_device(device)
    size = len(streams)
    if chosen.type == "cpu":
        size = max(1, _GROUP_TOKENS // (recipe.batch_windows * shape.context))
    begun: list[SwarmTrainer] = []

    def train_group(first: int, stop: Event) -> tuple[SwarmLM, tuple[ProxyTraining, ...]]:
        members = slice(first, first + size)
        trainer = SwarmTrainer(streams[members], shape, recipe, vocab_size, seeds[members], chosen)
        begun.append(trainer)
        while trainer.step < trainer.n_steps:
            if stop.is_set():
                raise InterruptedError("another group failed")
            trainer.advance()
        return trainer.model, trainer.finish()

    start = time.monotonic()

    def tell() -> None:
        if on_progress and begun:
            seconds = time.monotonic() - start
            on_progress(
                _progress(list(begun), recipe.n_steps(shape.context), len(streams), seconds)
            )

    jobs = [partial(train_group, first) for first in range(0, len(streams), size)]
    groups = run_in_threads(jobs, n_threads, tell)
    return TrainedSwarm(
        groups=tuple(model for model, _ in groups),
        recipe=recipe,
        proxies=tuple(record for _, records in groups for record in records),
        seconds=time.monotonic() - start,
    )


def _progress(
    begun: Sequence[SwarmTrainer], n_steps: int, n_proxies: int, seconds: float
) -> SwarmProgress:
    n_tokens = sum(trainer.n_tokens for trainer in begun)
    share = sum(trainer.step * trainer.model.n_proxies for trainer in begun) / (n_steps * n_proxies)
    losses = np.concatenate([trainer.last_losses() for trainer in begun])
    return SwarmProgress(
        step=int(share * n_steps),
        n_steps=n_steps,
        n_failed=sum(trainer.n_failed for trainer in begun),
        mean_loss_nats=float(losses.mean()) if losses.size else float("nan"),
        tokens_per_second=n_tokens / seconds,
        eta_seconds=seconds * (1 - share) / share if share else float("inf"),
    )
