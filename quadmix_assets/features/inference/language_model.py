"""Computes logits with language models of the transformers library, causal or encoder-decoder."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch

from quadmix_assets.features.inference.checkpoint import CheckpointError
from quadmix_assets.features.inference.networks import load_network
from quadmix_assets.features.inference.runtime import Runtime


def read_config(folder: Path) -> Any:
    """The configuration of a checkpoint.

    Raises:
        CheckpointError: there is none that the library can read.
    """
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{folder}: expected the config.json of a language model: {error}"
        ) from error


def context_length(config: Any) -> int | None:
    """The most tokens that a model reads; None if its config sets no limit (relative positions)."""
    if config.is_encoder_decoder:
        return None
    for key in ("max_position_embeddings", "n_positions", "max_seq_len"):
        if length := getattr(config, key, None):
            return int(length)
    return None


class LanguageModel:
    """A language model that gives logits without generating.

    Attributes:
        config: of the checkpoint.
        answers_apart: whether the answer is decoded separately from the prompt (encoder-decoder).
        network: the model of the transformers library.
    """

    def __init__(self, folder: Path, runtime: Runtime) -> None:
        """Load the checkpoint in `folder`, its weights in the runtime's type.

        Raises:
            CheckpointError: its configuration or its weights cannot be loaded.
        """
        from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

        self.config = read_config(folder)
        self.answers_apart = bool(self.config.is_encoder_decoder)
        auto_class = AutoModelForSeq2SeqLM if self.answers_apart else AutoModelForCausalLM
        self.network = load_network(auto_class, folder, runtime, dtype=runtime.dtype)
        self._takes = set(inspect.signature(self.network.forward).parameters)

    @property
    def vocabulary(self) -> int:
        """V, the number of logits of a position."""
        return int(self.network.get_output_embeddings().weight.shape[0])

    def logits(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(B, L, V) logits of a causal model at every position, padding after the tokens."""
        logits: torch.Tensor = self.network(
            input_ids=ids, attention_mask=mask, use_cache=False
        ).logits
        return logits

    def answer_logits(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(B, V) float32 logits of the first token of an answer to a prompt.

        Prompts of a causal model must be padded on the left, so that the last column holds their
        last tokens.
        """
        if self.answers_apart:
            start = torch.full((len(ids), 1), self.config.decoder_start_token_id, device=ids.device)
            output = self.network(
                input_ids=ids, attention_mask=mask, decoder_input_ids=start, use_cache=False
            )
            answers: torch.Tensor = output.logits[:, 0].float()
            return answers
        extra: dict[str, Any] = {}
        if "position_ids" in self._takes:
            extra["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
        if "logits_to_keep" in self._takes:
            extra["logits_to_keep"] = 1
        output = self.network(input_ids=ids, attention_mask=mask, use_cache=False, **extra)
        last: torch.Tensor = output.logits[:, -1].float()
        return last
