"""Embeds texts with a published sentence encoder in the layout of sentence-transformers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import torch

from quadmix_assets.features.inference.checkpoint import CheckpointError
from quadmix_assets.features.inference.framed import FramedEncoder
from quadmix_assets.features.inference.networks import load_network
from quadmix_assets.features.inference.runtime import Runtime

_POOLING = "1_Pooling/config.json"


class SentenceEncoder:
    """An encoder whose token vectors are pooled, by mean or by the first token, and normalized."""

    def __init__(self, folder: Path, runtime: Runtime, max_tokens: int) -> None:
        """Load the checkpoint in `folder`; `max_tokens` counts special tokens too.

        Raises:
            CheckpointError: the network cannot be loaded, or its pooling is not supported.
            ValueError: there is no tokenizer, or `max_tokens` leaves no room for text.
        """
        from transformers import AutoModel

        self._first_token = _pools_first_token(folder)
        self._network = load_network(AutoModel, folder, runtime)
        self._encode = FramedEncoder("sentence encoder", folder, self._pooled, runtime, max_tokens)

    def embed(self, texts: pl.Series) -> np.ndarray:
        """(D, H) float32 vectors of length 1."""
        if texts.is_empty():
            return np.empty((0, self._network.config.hidden_size), dtype=np.float32)
        return self._encode(texts).astype(np.float32)

    def _pooled(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        states = self._network(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        if self._first_token:
            pooled = states[:, 0]
        else:
            weights = mask.unsqueeze(-1).float()
            pooled = (states * weights).sum(1) / weights.sum(1).clamp(min=1.0)
        return torch.nn.functional.normalize(pooled, dim=1)


def _pools_first_token(folder: Path) -> bool:
    path = folder / _POOLING
    if not path.exists():
        return False
    pooling = json.loads(path.read_text())
    modes = {key for key, value in pooling.items() if key.startswith("pooling_mode_") and value}
    if modes == {"pooling_mode_cls_token"}:
        return True
    if modes <= {"pooling_mode_mean_tokens"}:
        return False
    raise CheckpointError(
        f"{path}: expected pooling_mode_mean_tokens or pooling_mode_cls_token, found "
        f"{', '.join(sorted(modes))}: take another sentence encoder"
    )
