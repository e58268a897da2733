"""Measures how fast this machine's processor trains, in a second or two per size of model."""

import os
import time
from dataclasses import dataclass, field

import torch

from quadmix_assets.device import precision_dtype, torch_threads, training_precision
from quadmix_assets.plan.devices import THIS_MACHINE, Device
from quadmix_assets.settings import Settings, TrainingSettings
from quadmix_assets.training.architectures import Architecture
from quadmix_assets.training.capacity import stack_size, windows_per_pass
from quadmix_assets.training.model import StackedLM
from quadmix_assets.training.recipe import architecture_of

_CPU = torch.device("cpu")
_SECONDS = 1.0
# A pass of more than that takes longer than anybody waits: a second at 100 GFLOP/s.
_MAX_PASS_FLOPS = 1e11
_MOST_MODELS = 64
_MATRIX = 1_024
# What trainings reach of the speed of large matrix products.
_SHARE_OF_PRODUCTS = 0.4


@dataclass(frozen=True)
class ThisMachine(Device):
    """This machine's processor, measured with the models of the profile.

    Attributes:
        n_processes, n_threads: that train at the same time, and threads of each.
    """

    n_processes: int
    n_threads: int
    name: str
    described: str
    _rates: dict[tuple[str, int], float] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> "ThisMachine":
        """As the settings use it; more processes than there are cores train no faster."""
        proxies = settings.proxies
        cores = os.cpu_count() or 1
        n_threads = min(proxies.n_threads, cores)
        n_processes = max(1, min(proxies.n_workers, cores // n_threads))
        described = (
            f"this machine, measured in one process times {n_processes}, with {n_threads} "
            f"{'thread' if n_threads == 1 else 'threads'} each"
        )
        return cls(n_processes, n_threads, THIS_MACHINE, described)

    def training_rate(self, recipe: TrainingSettings, vocab_size: int) -> float:
        """See `Device`; measured once per recipe, what is too large by its matrix products."""
        key = recipe.architecture, recipe.batch_windows * recipe.context
        if key not in self._rates:
            self._rates[key] = (
                self.large_rate
                if _Pass.of(recipe, vocab_size).flops(vocab_size) > _MAX_PASS_FLOPS
                else self.n_processes * _measured(recipe, vocab_size, self.n_threads)
            )
        return self._rates[key]

    @property
    def large_rate(self) -> float:
        """See `Device`."""
        key = "matrix products", 0
        if key not in self._rates:
            self._rates[key] = self.n_processes * _products(self.n_threads) * _SHARE_OF_PRODUCTS
        return self._rates[key]


@dataclass(frozen=True)
class _Pass:
    """One forward and backward pass, as trainings on a CPU have them."""

    architecture: Architecture
    n_models: int
    n_windows: int

    @classmethod
    def of(cls, recipe: TrainingSettings, vocab_size: int) -> "_Pass":
        architecture = architecture_of(recipe)
        n_models = stack_size(architecture, recipe, vocab_size, _CPU, most=_MOST_MODELS)
        return cls(architecture, n_models, windows_per_pass(architecture, recipe, n_models, _CPU))

    def flops(self, vocab_size: int) -> float:
        n_tokens = self.n_models * self.n_windows * self.architecture.context
        return float(n_tokens * self.architecture.flops_per_token(vocab_size))


def _measured(recipe: TrainingSettings, vocab_size: int, n_threads: int) -> float:
    """FLOP/s of one process: gradients of a stack on random tokens, and the optimiser's steps."""
    one = _Pass.of(recipe, vocab_size)
    dtype = precision_dtype(training_precision(recipe.precision, _CPU))
    passes_per_step = -(-recipe.batch_windows // one.n_windows)
    with torch_threads(n_threads):
        model = StackedLM(one.architecture, vocab_size, list(range(one.n_models)))
        optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, fused=True)
        shape = one.n_models, one.n_windows, one.architecture.context + 1
        windows = torch.randint(0, vocab_size, shape)

        def advance(number: int) -> None:
            model.add_gradients(windows, dtype, divisor=windows[..., 1:].numel())
            if number % passes_per_step == 0:
                optimizer.step()
                optimizer.zero_grad()

        advance(0)
        start, n = time.perf_counter(), 0
        while time.perf_counter() - start < _SECONDS:
            n += 1
            advance(n)
        return n * one.flops(vocab_size) / (time.perf_counter() - start)


def _products(n_threads: int) -> float:
    """FLOP/s of large matrix products in one process."""
    dtype = precision_dtype(training_precision("auto", _CPU))
    left, right = (torch.randn(_MATRIX, _MATRIX).to(dtype) for _ in range(2))
    with torch_threads(n_threads):
        left @ right
        start, n = time.perf_counter(), 0
        while time.perf_counter() - start < _SECONDS / 2:
            left @ right
            n += 1
        return n * 2 * _MATRIX**3 / (time.perf_counter() - start)
