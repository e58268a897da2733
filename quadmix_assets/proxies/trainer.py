"""One group of proxies in training: the steps, and the fate of each proxy.

The proxies share every step's operations and nothing else: data, optimiser state, gradient norm
and fate are each proxy's own. A proxy that diverges is set to zero and reported as failed, and the
others go on as if it had never been there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import torch

from quadmix_assets.proxies.model import SwarmLM, precision_dtype
from quadmix_assets.proxies.packing import WindowStream
from quadmix_assets.proxies.recipe import Recipe
from quadmix_assets.proxies.shapes import ProxyShape

_CURVE_POINTS = 24


@dataclass(frozen=True)
class ProxyTraining:
    """What became of one proxy.

    `train_loss` holds (tokens predicted so far, mean loss in nats since the last point); `n_tokens`
    the tokens it was trained to predict; `epochs` the passes over its sample. A failed proxy has a
    `reason` and its numbers end where it failed.
    """

    status: Literal["trained", "failed"]
    reason: str | None
    train_loss: tuple[tuple[int, float], ...]
    n_tokens: int
    epochs: float


class SwarmTrainer:
    """The state of a group between two steps; `training.train_swarm` drives it.

    Raises ValueError where a stream is not cut for the shape's context.
    """

    def __init__(
        self,
        streams: Sequence[WindowStream],
        shape: ProxyShape,
        recipe: Recipe,
        vocab_size: int,
        seeds: Sequence[int],
        device: torch.device,
    ) -> None:
        for stream in streams:
            if stream.window_tokens != shape.context + 1:
                raise ValueError(
                    f"a stream is cut to windows of {stream.window_tokens} tokens; shape "
                    f"{shape.name} needs {shape.context + 1}"
                )
        self.model = SwarmLM(shape, vocab_size, seeds).to(device)
        self.step = 0
        self.n_steps = recipe.n_steps(shape.context)
        self._streams = streams
        self._recipe = recipe
        self._device = device
        self._dtype = precision_dtype(recipe.precision)
        self._tokens_per_step = recipe.batch_windows * shape.context
        self._failures: dict[int, str] = {}
        self._failed_at = np.full(len(streams), self.n_steps)
        self._losses: list[np.ndarray] = []
        self._optimizer = _optimizer(self.model, recipe)
        for k, stream in enumerate(streams):
            if not stream.n_tokens_sample:
                self._fail(k, "its sample holds no tokens")

    def advance(self) -> None:
        """Make one step of all proxies, and fail those whose loss or gradient is not finite."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._recipe.rate_at(self.step, self.n_steps)
        losses = self.model.mean_loss(self._next_windows(), self._dtype)
        losses.sum().backward()
        norms = self._gradient_norms()
        finite = torch.isfinite(losses) & torch.isfinite(norms)
        for k in torch.nonzero(~finite).flatten().tolist():
            what = "gradient" if torch.isfinite(losses[k]) else "loss"
            where = f"step {self.step + 1} of {self.n_steps}"
            self._fail(k, f"its {what} was not finite at {where}: lower the learning rate")
        scale = (self._recipe.clip / norms).clamp_(max=1.0)
        for parameter in self.model.parameters():
            assert parameter.grad is not None
            parameter.grad.mul_(scale.view(-1, *[1] * (parameter.dim() - 1)))
            for k in self._failures:
                parameter.grad[k].zero_()
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._losses.append(losses.detach().cpu().numpy())
        self.step += 1

    @property
    def n_failed(self) -> int:
        """Proxies that have failed so far."""
        return len(self._failures)

    @property
    def n_tokens(self) -> int:
        """Tokens that all proxies of the group have been trained to predict."""
        return self.step * self._tokens_per_step * self.model.n_proxies

    def last_losses(self) -> np.ndarray:
        """Loss in nats of every living proxy in the last step; empty before the first."""
        living = [k for k in range(self.model.n_proxies) if k not in self._failures]
        return self._losses[-1][living] if self._losses else np.zeros(0)

    def finish(self) -> tuple[ProxyTraining, ...]:
        """End the training: fail proxies that the last step left with bad weights, free what only
        training needs, and return the record of every proxy.
        """
        for k in range(len(self._streams)):
            if not all(bool(torch.isfinite(p[k]).all()) for p in self.model.parameters()):
                self._fail(k, "its weights were not finite after the last step")
        self._optimizer.state.clear()
        losses = np.stack(self._losses)
        return tuple(self._record(k, losses[:, k]) for k in range(len(self._streams)))

    def _record(self, k: int, losses: np.ndarray) -> ProxyTraining:
        n_steps = int(self._failed_at[k])
        n_points = min(_CURVE_POINTS, n_steps)
        bounds = np.linspace(0, n_steps, n_points + 1).astype(int)
        curve = tuple(
            (end * self._tokens_per_step, float(losses[start:end].mean()))
            for start, end in pairwise(bounds.tolist())
        )
        reason = self._failures.get(k)
        status: Literal["trained", "failed"] = "trained" if reason is None else "failed"
        n_tokens = n_steps * self._tokens_per_step
        return ProxyTraining(status, reason, curve, n_tokens, self._streams[k].epochs)

    def _next_windows(self) -> torch.Tensor:
        """(K, B, context + 1) int64 on the device; failed proxies get zeros."""
        n_windows = self._recipe.batch_windows
        sizes = (len(self._streams), n_windows, self.model.shape.context + 1)
        windows = np.zeros(sizes, np.int64)
        for k, stream in enumerate(self._streams):
            if k not in self._failures:
                windows[k] = stream.read(n_windows)
        if windows.max() >= self.model.vocab_size:
            raise ValueError(
                f"a window holds token {windows.max()}, outside the vocabulary of "
                f"{self.model.vocab_size}: the pool was tokenised with another tokenizer"
            )
        return torch.from_numpy(windows).to(self._device)

    def _gradient_norms(self) -> torch.Tensor:
        gradients = [p.grad.flatten(1) for p in self.model.parameters() if p.grad is not None]
        norms = [torch.linalg.vector_norm(gradient, dim=1) for gradient in gradients]
        return torch.linalg.vector_norm(torch.stack(norms), dim=0)

    def _fail(self, k: int, reason: str) -> None:
        self._failures[k] = reason
        self._failed_at[k] = self.step
        self.model.silence(k)
        for state in self._optimizer.state.values():
            state["exp_avg"][k].zero_()
            state["exp_avg_sq"][k].zero_()


def _optimizer(model: SwarmLM, recipe: Recipe) -> torch.optim.AdamW:
    matrices = [p for p in model.parameters() if p.dim() == 3]
    gains = [p for p in model.parameters() if p.dim() == 2]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": gains, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=recipe.betas, fused=True)
