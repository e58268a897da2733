"""What a model needs to know of the machine and of the project, besides its own settings."""

from __future__ import annotations

import logging
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
_LOG = logging.getLogger(__name__)


@dataclass
class Runtime:
    """Where models run and how; two runtimes give the same scores but for rounding.

    Attributes:
        settings: device, precision, batches.
        resolve: turns a path of the settings into a place; relative paths start at the project.
        log: takes lines that a user should see.
        tokens: the token ids of the texts at hand, shared by models with the same tokenizer.
    """

    settings: InferenceSettings = field(default_factory=InferenceSettings)
    resolve: Callable[[str], UPath] = UPath
    log: Callable[[str], None] = _LOG.warning
    tokens: TokenCache = field(default_factory=TokenCache)

    @classmethod
    def of(cls, settings: Settings, log: Callable[[str], None]) -> Runtime:
        """The runtime of a project."""
        return cls(settings.features.inference, settings.resolve, log)

    @cached_property
    def device(self) -> torch.device:
        """The device that the settings name."""
        # Imported late, as below: torch takes seconds, and most criteria do not use it.
        from quadmix_assets.device import choose_device

        return choose_device(self.settings.device)

    @cached_property
    def dtype(self) -> torch.dtype:
        """The type that matrix products are computed in."""
        from quadmix_assets.device import inference_precision, precision_dtype

        return precision_dtype(inference_precision(self.settings.precision, self.device))

    @property
    def batch_tokens(self) -> int:
        """Rows times longest row of a batch, before any shortage of memory."""
        if self.settings.batch_tokens is not None:
            return self.settings.batch_tokens
        return _CPU_BATCH_TOKENS if self.device.type == "cpu" else _GPU_BATCH_TOKENS
