"""Token ids of the current texts, computed once for all models that share a tokenizer."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from quadmix_assets.features.inference.text_encoder import TextEncoder
from quadmix_assets.hashing import Digest


@dataclass
class TokenCache:
    """Remembers, per tokenizer, the ids of the last texts it was given.

    Models announce with `share` how many tokens they read; the largest number decides
    how many are computed, and every model takes its own prefix of them.
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
        """The first `max_tokens` token ids of each text, without special tokens: D of int32."""
        self.share(encoder, max_tokens)
        key, limit = _digest(texts), self._limits[encoder.fingerprint]
        known = self._last.get(encoder.fingerprint)
        if known is None or known[:2] != (key, limit):
            known = (key, limit, encoder.first_tokens(texts.to_list(), limit))
            self._last[encoder.fingerprint] = known
        return [ids[:max_tokens] for ids in known[2]]


def _digest(texts: pl.Series) -> bytes:
    # Of the content: the same texts come as a new series each time.
    digest = Digest()
    for text in texts:
        content = text.encode()
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.digest()
