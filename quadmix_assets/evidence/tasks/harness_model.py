"""A stored language model as lm-evaluation-harness asks it.

Importing this module takes seconds, so it is imported where tasks are run and not before.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lm_eval.models.huggingface import HFLM
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
from upath import UPath

from quadmix_assets.corpus.tokenizer import load_tokenizer, separator_id

# Logits of one forward pass; the harness holds them twice.
_LOGITS_BYTES_CPU = 1 << 27
_LOGITS_BYTES_GPU = 1 << 31
_MAX_BATCH = 64
# An answer takes at most this share of the context, so that most of it is left for the question.
_ANSWER_SHARE = 0.25

_Request = tuple[tuple[str, str], list[int], list[int]]


class HarnessModel(HFLM):
    """A model in a folder of transformers.

    It differs from the harness's own class in three ways: every text begins with the separator of
    documents, as in training; an answer longer than the context has no probability (NaN) instead
    of ending the run; and written answers leave room for the question in a short context.
    """

    def __init__(self, folder: Path, *, device: str, batch_size: int | None = None) -> None:
        """Load the model.

        Args:
            folder: local, with config.json, model.safetensors and tokenizer.json.
            device: where it runs, as PyTorch names it.
            batch_size: texts per forward pass; None: as many as fit.
        """
        model: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
        context = int(model.config.max_position_embeddings)
        super().__init__(
            pretrained=model.to(torch.device(device)),
            tokenizer=_with_separator(load_tokenizer(UPath(folder))),
            max_length=context,
            batch_size=batch_size or _batch_size(context, model.config.vocab_size, device),
        )

    @property
    def max_gen_toks(self) -> int:
        """Tokens of a written answer where a task does not say."""
        return min(super().max_gen_toks, max(1, int(_ANSWER_SHARE * self.max_length)))

    def answer_nats(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Mean loss in nats per token of answers, (n,); NaN where one exceeds the context.

        Args:
            pairs: what comes before each answer, and the answer.
        """
        encoded = [(pair, *self._encode_pair(*pair)) for pair in pairs]
        found = self._loglikelihood_tokens(encoded)
        return np.array(
            [
                -logarithm / max(1, len(answer))
                for (logarithm, _), (_, _, answer) in zip(found, encoded, strict=True)
            ]
        )

    def _loglikelihood_tokens(
        self, requests: list[_Request], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[tuple[float, bool]]:
        fits = [0 < len(answer) <= self.max_length for _, _, answer in requests]
        asked = [request for request, fit in zip(requests, fits, strict=True) if fit]
        found: list[tuple[float, bool]] = []
        if asked:
            found = super()._loglikelihood_tokens(asked, disable_tqdm, override_bs)
        each = iter(found)
        return [next(each) if fit else (math.nan, False) for fit in fits]


def _with_separator(tokenizer: Tokenizer) -> Any:
    """The tokenizer for transformers, with the separator before every text."""
    separator = separator_id(tokenizer)
    word = tokenizer.id_to_token(separator)
    tokenizer.post_processor = TemplateProcessing(
        single=f"{word} $A", special_tokens=[(word, separator)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=word, eos_token=word, pad_token=word
    )


def _batch_size(context: int, vocab_size: int, device: str) -> int:
    limit = _LOGITS_BYTES_CPU if device == "cpu" else _LOGITS_BYTES_GPU
    return max(1, min(_MAX_BATCH, limit // (4 * context * vocab_size)))
