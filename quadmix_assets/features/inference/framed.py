"""Runs an encoder on the first tokens of each text, framed by the encoder's special tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from quadmix_assets.features.inference.forward import BatchedForward, Network
from quadmix_assets.features.inference.runtime import Runtime
from quadmix_assets.features.inference.text_encoder import TextEncoder


class FramedEncoder:
    """An encoder that truncates texts as transformers does with `truncation=True`."""

    def __init__(
        self, name: str, folder: Path, network: Network, runtime: Runtime, max_tokens: int
    ) -> None:
        """Load the tokenizer in `folder`.

        Args:
            name: of the model, for log and error messages.
            folder: of the checkpoint.
            network: (B, L) ids and mask -> (B, K); OpenVINO runs it if the settings say so.
            runtime: device, engine, precision and token cache.
            max_tokens: most tokens of a row, special tokens included.

        Raises:
            ImportError: the settings ask for OpenVINO, which is not installed.
            ValueError: there is no tokenizer, `max_tokens` leaves no room for text, or OpenVINO
                cannot run the network.
        """
        self._encoder = TextEncoder.load(folder)
        self._runtime = runtime
        self._n_text = max_tokens - len(self._encoder.prefix) - len(self._encoder.suffix)
        if self._n_text < 1:
            raise ValueError(
                f"{name}: max_tokens {max_tokens} leaves no room for text next to the special "
                "tokens: raise max_tokens"
            )
        runtime.token_cache.share(self._encoder, self._n_text)
        if runtime.settings.engine == "openvino":
            # Imported here, because it belongs to an extra.
            from quadmix_assets.features.inference.openvino_network import OpenVinoNetwork

            network = OpenVinoNetwork(name, network, runtime)
        self._forward = BatchedForward(name, network, runtime, pad_id=0)

    def __call__(self, texts: pl.Series) -> np.ndarray:
        """The network's output for D texts: (D, K) float64.

        Raises:
            MemoryError: a batch of a single row does not fit in memory.
        """
        encoder = self._encoder
        rows = [
            np.concatenate([encoder.prefix, ids, encoder.suffix]).astype(np.int64)
            for ids in self._runtime.token_cache.first_tokens(encoder, texts, self._n_text)
        ]
        return self._forward(rows)
