"""Token ids of the current texts, computed once for all models that share a tokenizer."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from quadmix_assets.features.inference.text_encoder import TextEncoder
from quadmix_assets.hashing import Digest


@dataclass
class TokenCache:
    """Caches, per tokenizer, the token ids of the last texts.

    Models announce with `share` how many tokens they read. The cache computes the largest of these
    numbers, and every model gets its own prefix.
    """

    _limits: dict[str, int] = field(default_factory=dict)
    _last: dict[str, tuple[bytes, int, list[np.ndarray]]] = field(default_factory=dict)

    def share(self, encoder: TextEncoder, max_tokens: int) -> None:
        """Announce that a model will read up to `max_tokens` of each text."""
        self._limits[encoder.fingerprint] = max(
            max_tokens, self._limits.get(encoder.fingerprint, 0)
        )

    def first_tokens(
        self, encoder: TextEncoder, texts: pl.Series, max_tokens: int
    ) -> list[np.ndarray]:
        """The first `max_tokens` ids of D texts, without special tokens: D arrays of int32."""
        self.share(encoder, max_tokens)
        key, limit = _digest(texts), self._limits[encoder.fingerprint]
        cached = self._last.get(encoder.fingerprint)
        if cached is None or cached[:2] != (key, limit):
            cached = (key, limit, encoder.first_tokens(texts.to_list(), limit))
            self._last[encoder.fingerprint] = cached
        return [ids[:max_tokens] for ids in cached[2]]


def _digest(texts: pl.Series) -> bytes:
    # A hash of the content, because the same texts come as a new series each time.
    digest = Digest()
    for text in texts:
        content = text.encode()
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.digest()
