"""A stack in training: optimiser steps, handling of divergence, checkpoint state.

The proxies share the operations of a step and nothing else: each has its own data, optimiser state
and gradient norm. A proxy that diverges is set to zero and recorded as failed; it has no effect on
the others.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import torch

from quadmix_assets.device import precision_dtype
from quadmix_assets.settings import TrainingSettings
from quadmix_assets.training.architectures import Architecture
from quadmix_assets.training.capacity import windows_per_pass
from quadmix_assets.training.model import StackedLM
from quadmix_assets.training.recipe import n_steps, rate_at
from quadmix_assets.training.records import ProxyTraining
from quadmix_assets.training.window_stream import WindowStream

# Points of a stored training curve.
_CURVE_POINTS = 24


class StackTrainer:
    """A stack in training; `loop.train_on_streams` advances it step by step.

    Args:
        streams: K samples as windows of `architecture.context` + 1 tokens.
        architecture: of the proxies.
        recipe: budget, optimiser and precision.
        vocab_size: of the tokenizer.
        seeds: K seeds of the initial weights.
        device: of model and optimiser.
        compiled: whether torch.compile fuses the training step.

    Raises:
        ValueError: a stream is not cut for the architecture's context.
    """

    def __init__(
        self,
        streams: Sequence[WindowStream],
        architecture: Architecture,
        recipe: TrainingSettings,
        vocab_size: int,
        seeds: Sequence[int],
        device: torch.device,
        *,
        compiled: bool = False,
    ) -> None:
        for stream in streams:
            if stream.window_tokens != architecture.context + 1:
                raise ValueError(
                    f"a stream is cut to windows of {stream.window_tokens} tokens; architecture "
                    f"{architecture.name} needs {architecture.context + 1}"
                )
        self.model = StackedLM(architecture, vocab_size, seeds).to(device)
        if compiled:
            self.model.compile_training()
        self.step = 0
        self.n_steps = n_steps(recipe, architecture.context)
        self.failures: dict[int, str] = {}
        self._streams = streams
        self._recipe = recipe
        self._device = device
        self._dtype = precision_dtype(recipe.precision)
        self._tokens_per_step = recipe.batch_windows * architecture.context
        self._windows_per_pass = windows_per_pass(architecture, recipe, len(streams), device)
        self._failed_at = np.full(len(streams), self.n_steps)
        self._losses = np.full((self.n_steps, len(streams)), np.nan, np.float32)
        self._optimizer = _optimizer(self.model, recipe)
        for k, stream in enumerate(streams):
            if not stream.n_tokens_sample:
                self._fail(k, "its sample holds no tokens")

    def advance(self) -> None:
        """Make one step; proxies whose loss or gradient is not finite are marked as failed.

        Raises:
            ValueError: a token is outside the vocabulary.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = rate_at(self._recipe, self.step, self.n_steps)
        losses = torch.zeros(self.model.n_proxies, device=self._device)
        for first in range(0, self._recipe.batch_windows, self._windows_per_pass):
            n = min(self._windows_per_pass, self._recipe.batch_windows - first)
            windows = self._next_windows(n)
            losses += self.model.add_gradients(windows, self._dtype, divisor=self._tokens_per_step)
        norms = self._gradient_norms()
        finite = torch.isfinite(losses) & torch.isfinite(norms)
        for k in torch.nonzero(~finite).flatten().tolist():
            what = "gradient" if torch.isfinite(losses[k]) else "loss"
            where = f"step {self.step + 1} of {self.n_steps}"
            self._fail(k, f"its {what} was not finite at {where}: lower the learning rate")
        scale = (self._recipe.max_grad_norm / norms).clamp_(max=1.0)
        for parameter in self.model.parameters():
            assert parameter.grad is not None
            parameter.grad.mul_(scale.view(-1, *[1] * (parameter.dim() - 1)))
            for k in self.failures:
                parameter.grad[k].zero_()
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._losses[self.step] = losses.cpu().numpy()
        self.step += 1

    @property
    def n_tokens(self) -> int:
        """Tokens that all proxies together have been trained to predict."""
        return self.step * self._tokens_per_step * self.model.n_proxies

    @property
    def learning_rate(self) -> float:
        """The rate of the last step."""
        return rate_at(self._recipe, max(self.step - 1, 0), self.n_steps)

    def losses_since(self, step: int) -> np.ndarray:
        """Mean training loss in nats (K,) of the steps since `step`; NaN for failed proxies."""
        if step >= self.step:
            return np.full(self.model.n_proxies, np.nan)
        losses: np.ndarray = self._losses[step : self.step].mean(axis=0)
        losses[list(self.failures)] = np.nan
        return losses

    def state(self) -> dict[str, Any]:
        """Everything that `load_state` needs to continue with identical results."""
        moments = [self._optimizer.state[p] for p in self.model.parameters()]
        return {
            "step": self.step,
            "parameters": self.model.state_dict(),
            "moments": [dict(moment) for moment in moments],
            "n_tokens_read": [stream.n_tokens_read for stream in self._streams],
            "failures": dict(self.failures),
            "failed_at": torch.from_numpy(self._failed_at),
            "losses": torch.from_numpy(self._losses[: self.step]),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from a `state` that has the same streams, architecture, recipe and seeds."""
        self.step = int(state["step"])
        self.model.load_state_dict(state["parameters"])
        for parameter, moment in zip(self.model.parameters(), state["moments"], strict=True):
            self._optimizer.state[parameter] = {
                name: values.to(self._device) for name, values in moment.items()
            }
        for stream, n_tokens in zip(self._streams, state["n_tokens_read"], strict=True):
            stream.seek(int(n_tokens))
        self.failures = {int(k): str(reason) for k, reason in state["failures"].items()}
        self._failed_at = state["failed_at"].numpy().copy()
        self._losses[: self.step] = state["losses"].numpy()

    def finish(self) -> tuple[ProxyTraining, ...]:
        """End the training, and free the optimiser's memory.

        Returns:
            The record of every proxy; those whose weights are not finite are marked as failed.
        """
        for k in range(len(self._streams)):
            if not all(bool(torch.isfinite(p[k]).all()) for p in self.model.parameters()):
                self._fail(k, "its weights were not finite after the last step")
        self._optimizer.state.clear()
        return tuple(self._record(k) for k in range(len(self._streams)))

    def _record(self, k: int) -> ProxyTraining:
        n_steps = int(self._failed_at[k])
        curve = training_curve(self._losses[:n_steps, k], self._tokens_per_step)
        reason = self.failures.get(k)
        status: Literal["trained", "failed"] = "trained" if reason is None else "failed"
        n_tokens = n_steps * self._tokens_per_step
        return ProxyTraining(status, reason, curve, n_tokens, self._streams[k].epochs)

    def _next_windows(self, n_windows: int) -> torch.Tensor:
        """(K, n_windows, context + 1) int64 on the device; failed proxies get zeros."""
        windows = np.zeros(
            (len(self._streams), n_windows, self.model.architecture.context + 1), np.int64
        )
        for k, stream in enumerate(self._streams):
            if k not in self.failures:
                windows[k] = stream.read(n_windows)
        if windows.max() >= self.model.vocab_size:
            raise ValueError(
                f"a window holds token {windows.max()}, outside the vocabulary of "
                f"{self.model.vocab_size}: the documents were tokenised with another tokenizer"
            )
        return torch.from_numpy(windows).to(self._device)

    def _gradient_norms(self) -> torch.Tensor:
        gradients = [p.grad.flatten(1) for p in self.model.parameters() if p.grad is not None]
        norms = [torch.linalg.vector_norm(gradient, dim=1) for gradient in gradients]
        return torch.linalg.vector_norm(torch.stack(norms), dim=0)

    def _fail(self, k: int, reason: str) -> None:
        self.failures[k] = reason
        self._failed_at[k] = self.step
        self.model.silence(k)
        for state in self._optimizer.state.values():
            state["exp_avg"][k].zero_()
            state["exp_avg_sq"][k].zero_()


def training_curve(losses: np.ndarray, tokens_per_step: int) -> tuple[tuple[int, float], ...]:
    """Points (tokens predicted so far, mean loss since the last point) of a training.

    Args:
        losses: (steps,) of every step, in nats.
        tokens_per_step: predicted tokens.
    """
    n_points = min(_CURVE_POINTS, len(losses))
    bounds = np.linspace(0, len(losses), n_points + 1).astype(int)
    return tuple(
        (end * tokens_per_step, float(losses[start:end].mean()))
        for start, end in pairwise(bounds.tolist())
    )


def _optimizer(model: StackedLM, recipe: TrainingSettings) -> torch.optim.AdamW:
    matrices = [p for p in model.parameters() if p.dim() == 3]
    gains = [p for p in model.parameters() if p.dim() == 2]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": gains, "weight_decay": 0.0},
    ]
    betas = (recipe.beta1, recipe.beta2)
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=betas, fused=True)
