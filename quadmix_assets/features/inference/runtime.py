"""The runtime of models: device, precision, batch size, token cache and paths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from upath import UPath

from quadmix_assets.features.inference.token_cache import TokenCache
from quadmix_assets.settings import InferenceSettings, Settings

if TYPE_CHECKING:
    import torch

_CPU_BATCH_TOKENS = 1_024
_GPU_BATCH_TOKENS = 65_536


@dataclass
class Runtime:
    """Where and how models run; scores do not depend on it, except for rounding.

    Attributes:
        settings: device, precision, batches.
        resolve: makes a path of the settings absolute; relative paths start at the project.
        token_cache: token ids of the current texts, shared by models with the same tokenizer.
    """

    settings: InferenceSettings = field(default_factory=InferenceSettings)
    resolve: Callable[[str], UPath] = UPath
    token_cache: TokenCache = field(default_factory=TokenCache)

    @classmethod
    def of(cls, settings: Settings) -> Runtime:
        """The runtime of a project."""
        return cls(settings.features.inference, settings.resolve)

    @cached_property
    def device(self) -> torch.device:
        """The device that the settings name; `auto` takes the GPU with the most free memory."""
        # Imported here and below: importing torch takes seconds, and most criteria do not use it.
        from quadmix_assets.device import choose_device

        return choose_device(self.settings.device)

    @cached_property
    def dtype(self) -> torch.dtype:
        """The type that matrix products are computed in."""
        from quadmix_assets.device import inference_precision, precision_dtype

        return precision_dtype(inference_precision(self.settings.precision, self.device))

    @property
    def batch_tokens(self) -> int:
        """Largest rows x longest row of a batch, before any out-of-memory error."""
        if self.settings.batch_tokens is not None:
            return self.settings.batch_tokens
        return _CPU_BATCH_TOKENS if self.device.type == "cpu" else _GPU_BATCH_TOKENS
