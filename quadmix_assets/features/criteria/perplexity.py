"""A criterion that scores a document by the negated loss of a causal language model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
from pydantic import Field

from quadmix_assets.features.criteria.base import Criterion
from quadmix_assets.features.inference.checkpoint import CheckpointError, require_safetensors
from quadmix_assets.features.inference.text_encoder import TextEncoder
from quadmix_assets.features.learned.published import Published
from quadmix_assets.settings.base import PositiveInt
from quadmix_assets.settings.criteria import CriterionSettings

if TYPE_CHECKING:
    import torch

    from quadmix_assets.features.inference.forward import BatchedForward
    from quadmix_assets.features.inference.language_model import LanguageModel

# About three float32 copies of the logits are in memory at once.
_BYTES_PER_LOGIT = 12
_MAX_LOGIT_BYTES = {"cpu": 1 << 30, "cuda": 1 << 33}


class PerplexitySettings(CriterionSettings):
    """A causal language model's mean loss per token, negated."""

    kind: Literal["perplexity"]
    model: str = Field(
        default="openai-community/gpt2",
        description="hub id or folder of a causal language model; the default is small and open",
    )
    revision: str = Field(
        default="607a30d783dfa663caf39e06633721c8d4cfcd7e",
        description="commit, branch or tag of a model of the hub; the default is a commit, so that "
        "scores do not change when the hub does",
    )
    max_tokens: PositiveInt = Field(
        default=1024,
        description="tokens read of a document, at most the model's context minus one; 1,024 is "
        "GPT-2's context",
    )

    def implementation(self) -> type[PerplexityCriterion]:
        """See `CriterionSettings`."""
        return PerplexityCriterion

    @property
    def score_meaning(self) -> str:
        """See `CriterionSettings`."""
        return "minus the mean loss of a language model on the document, larger is better"

    @property
    def score_unit(self) -> str:
        """See `CriterionSettings`."""
        return "nats per token"

    @property
    def runs_network(self) -> bool:
        """True: it runs a transformer."""
        return True


class PerplexityCriterion(Published[PerplexitySettings], Criterion[PerplexitySettings]):
    """Minus the mean loss per token in nats, so that larger is better; at most 0.

    The loss is the mean over the first `max_tokens` tokens, after a beginning-of-text token; the
    perplexity is exp(-score). A text without tokens gets the score of a uniform distribution over
    the vocabulary.
    """

    code_version = "1"

    def fit(self, target_texts: Sequence[str], pool_texts: Sequence[str], *, seed: int) -> None:
        """Check that the checkpoint is there and of the right kind; nothing is learned.

        Raises:
            CheckpointError: it is missing, or of another kind.
        """
        require_safetensors(self.folder)
        if self._config.is_encoder_decoder:
            raise CheckpointError(
                f"{self.folder}: criterion {self.name!r} expects a causal language model, the "
                "checkpoint is an encoder-decoder: correct `model`"
            )
        _ = self._first_token

    @cached_property
    def _config(self) -> Any:
        from quadmix_assets.features.inference.language_model import read_config

        return read_config(self.folder)

    @cached_property
    def _encoder(self) -> TextEncoder:
        return TextEncoder.load(self.folder, literal=True)

    @cached_property
    def _first_token(self) -> int:
        """The token before a text, from which the first token of the text is predicted."""
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(
            self.folder, local_files_only=True, trust_remote_code=False
        )
        for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
            if token is not None:
                return int(token)
        raise CheckpointError(
            f"{self.folder}: the tokenizer has neither a beginning-of-text nor an end-of-text "
            f"token. Criterion {self.name!r} needs one to predict the first token of a document: "
            "take another model"
        )

    @cached_property
    def _n_text(self) -> int:
        """Tokens read of a text; `_first_token` takes one position of the context."""
        from quadmix_assets.features.inference.language_model import context_length

        longest = context_length(self._config) or self.settings.max_tokens + 1
        return min(self.settings.max_tokens, longest - 1)

    @cached_property
    def _model(self) -> LanguageModel:
        from quadmix_assets.features.inference.language_model import LanguageModel

        return LanguageModel(self.folder, self.runtime)

    @cached_property
    def _forward(self) -> BatchedForward:
        from quadmix_assets.features.inference.forward import BatchedForward

        model = self._model
        limit = _MAX_LOGIT_BYTES.get(self.runtime.device.type, _MAX_LOGIT_BYTES["cpu"])
        self.runtime.token_cache.share(self._encoder, self._n_text)

        def scores(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            logits = model.logits(ids, mask)[:, :-1].float()
            inside = mask[:, 1:].float()
            likelihood = logits.gather(2, ids[:, 1:, None]).squeeze(2) - logits.logsumexp(2)
            return ((likelihood * inside).sum(1) / inside.sum(1)).unsqueeze(1)

        return BatchedForward(
            self.name,
            scores,
            self.runtime,
            pad_id=0,
            max_batch_tokens=max(limit // (_BYTES_PER_LOGIT * model.vocabulary), 1),
        )

    def score(self, documents: pl.DataFrame) -> np.ndarray:
        """Minus the mean loss, (D,) float64."""
        forward = self._forward
        tokens = self.runtime.token_cache.first_tokens(
            self._encoder, documents["text"], self._n_text
        )
        result = np.full(len(tokens), -math.log(self._model.vocabulary))
        filled = [row for row, ids in enumerate(tokens) if len(ids)]
        if filled:
            rows = [np.concatenate([[self._first_token], tokens[row]]) for row in filled]
            result[filled] = forward(rows)[:, 0]
        return result
