"""AskLLM: a language model is asked whether a document is worth training on (arXiv:2402.09668)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import polars as pl
from pydantic import Field

from quadmix_assets.features.criteria.askllm_prompt import Prompt
from quadmix_assets.features.criteria.base import Criterion
from quadmix_assets.features.inference.checkpoint import CheckpointError, require_safetensors
from quadmix_assets.features.inference.text_encoder import TextEncoder
from quadmix_assets.features.learned.published import Published
from quadmix_assets.settings.base import PositiveInt
from quadmix_assets.settings.criteria import CriterionSettings

if TYPE_CHECKING:
    import torch

    from quadmix_assets.features.inference.forward import BatchedForward

_MIN_DOCUMENT_TOKENS = 16


class AskllmSettings(CriterionSettings):
    """AskLLM: an instruction-tuned model's P(yes) that a document is worth training on."""

    kind: Literal["askllm"]
    model: str = Field(
        default="google/flan-t5-xl",
        description="hub id or folder of a causal or encoder-decoder model; the default is "
        "one of those in the AskLLM paper",
    )
    revision: str = Field(
        default="7d6315df2c2fb742f0f5b556879d730926ca9001",
        description="commit, branch or tag of a model of the hub; the default is a commit, so that "
        "scores do not change when the hub does",
    )
    max_tokens: PositiveInt = Field(
        default=1024,
        description="tokens of prompt and document together; the document is truncated to fit, "
        "the prompt never. Most web documents fit; the cost grows with the length",
    )
    prompt: str | None = Field(
        default=None,
        description="text file of the prompt, with a line {document} between two equal marker "
        "lines; null takes the built-in prompt",
    )
    yes: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        default=("yes", "Yes"),
        description="answers that count as yes, each a single token of the model",
    )
    no: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        default=("no", "No"), description="answers that count as no, each a single token"
    )
    chat_template: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="whether the prompt is put into the chat template of the tokenizer; auto: "
        "if it has one",
    )

    def implementation(self) -> type[AskllmCriterion]:
        """See `CriterionSettings`."""
        return AskllmCriterion

    @property
    def score_meaning(self) -> str:
        """See `CriterionSettings`."""
        return (
            "P(yes) of a language model that is asked whether the document is worth "
            "training on, larger is better"
        )

    @property
    def score_unit(self) -> str:
        """See `CriterionSettings`."""
        return "probability, 0 to 1"

    @property
    def runs_network(self) -> bool:
        """True: it runs a transformer."""
        return True


class AskllmCriterion(Published[AskllmSettings], Criterion[AskllmSettings]):
    """P(yes) / (P(yes) + P(no)) for the first token of the model's answer, in (0, 1).

    The probabilities of all variants of an answer ("yes", "Yes", with and without a leading space)
    are summed. One forward pass gives them; nothing is generated. The document is truncated to fit
    the context, the prompt never is. The document is tokenised separately, so that no token spans
    its border with the prompt. Markers in it are spaced out, and spellings of special tokens in it
    never become special tokens.
    """

    code_version = "1"

    def fit(self, target_texts: Sequence[str], pool_texts: Sequence[str], *, seed: int) -> None:
        """Check checkpoint, prompt and answers before any scoring; nothing is learned.

        Raises:
            CheckpointError: the checkpoint is not there, or its tokenizer splits the answers.
            ValueError: the prompt leaves no room for a document.
        """
        require_safetensors(self.folder)
        _ = self._answers
        _ = self._n_document

    def _card(self) -> dict[str, Any]:
        # Scores depend on the text of the prompt, not on the name of its file.
        prompt = self._prompt
        return {**super()._card(), "words": prompt.before + "{document}" + prompt.after}

    @cached_property
    def _prompt(self) -> Prompt:
        file = self.settings.prompt
        return Prompt.read(None if file is None else Path(str(self.runtime.resolve(file))))

    @cached_property
    def _encoder(self) -> TextEncoder:
        return TextEncoder.load(self.folder, literal=True)

    @cached_property
    def _config(self) -> Any:
        from quadmix_assets.features.inference.language_model import read_config

        return read_config(self.folder)

    @cached_property
    def _frame(self) -> tuple[list[int], list[int]]:
        """Token ids before and after a document.

        Raises:
            CheckpointError: the settings ask for a chat template that the tokenizer lacks.
        """
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(
            self.folder, local_files_only=True, trust_remote_code=False
        )
        use_template, encoder = self.settings.chat_template, self._encoder
        has_template = getattr(tokenizer, "chat_template", None) is not None
        if use_template == "always" and not has_template:
            raise CheckpointError(
                f"{self.folder}: the tokenizer has no chat template, but criterion {self.name!r} "
                "has chat_template: always. Set it to auto or never, or take a chat model"
            )
        if has_template and use_template != "never":
            before, after = self._prompt.as_chat(tokenizer)
            return encoder.ids(before, special=True), encoder.ids(after, special=True)
        # An end-of-text token after the prompt would end a causal model's answer at once.
        end = encoder.suffix if self._config.is_encoder_decoder else []
        before, after = self._prompt.before, self._prompt.after
        return [*encoder.prefix, *encoder.ids(before)], [*encoder.ids(after), *end]

    @cached_property
    def _n_document(self) -> int:
        """Tokens of the context that are left for the document.

        Raises:
            ValueError: they are fewer than `_MIN_DOCUMENT_TOKENS`.
        """
        from quadmix_assets.features.inference.language_model import context_length

        longest = context_length(self._config) or self.settings.max_tokens
        n_context = min(self.settings.max_tokens, longest)
        n_prompt = sum(map(len, self._frame))
        if n_context - n_prompt < _MIN_DOCUMENT_TOKENS:
            raise ValueError(
                f"criterion {self.name!r}: the prompt takes {n_prompt} of {n_context} tokens (the "
                f"smaller of max_tokens {self.settings.max_tokens} and the model's {longest}), "
                f"which leaves fewer than {_MIN_DOCUMENT_TOKENS} for the document: shorten the "
                "prompt, raise max_tokens, or take a model with a longer context"
            )
        return n_context - n_prompt

    @cached_property
    def _answers(self) -> tuple[list[int], list[int]]:
        """Token ids of yes and of no.

        Raises:
            CheckpointError: an answer is not a single token, or a token counts as yes and as no.
        """
        yes, no = (
            sorted({token for word in words for token in self._single_tokens(word)})
            for words in (self.settings.yes, self.settings.no)
        )
        if set(yes) & set(no):
            raise CheckpointError(
                f"criterion {self.name!r}: yes ({', '.join(self.settings.yes)}) and no "
                f"({', '.join(self.settings.no)}) share tokens of {self.folder}: choose other words"
            )
        return yes, no

    def _single_tokens(self, word: str) -> set[int]:
        # Whether the token of an answer includes a leading space depends on the tokenizer.
        spellings = [self._encoder.ids(spelling) for spelling in (word, f" {word}")]
        single = {ids[0] for ids in spellings if len(ids) == 1}
        if not single:
            pieces = [self._encoder.tokenizer.id_to_token(token) for token in spellings[0]]
            raise CheckpointError(
                f"criterion {self.name!r}: the tokenizer of {self.folder} splits the answer "
                f"{word!r} into {pieces}. The score is read from one token: name answers in `yes` "
                "and `no` that are single tokens of this model, or take another model"
            )
        return single

    @cached_property
    def _forward(self) -> BatchedForward:
        from quadmix_assets.features.inference.forward import BatchedForward
        from quadmix_assets.features.inference.language_model import LanguageModel

        model = LanguageModel(self.folder, self.runtime)
        yes, no = self._answers

        def log_odds(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            logits = model.answer_logits(ids, mask)
            return (logits[:, yes].logsumexp(1) - logits[:, no].logsumexp(1)).unsqueeze(1)

        self.runtime.token_cache.share(self._encoder, self._n_document)
        return BatchedForward(
            self.name, log_odds, self.runtime, pad_id=0, pad_left=not model.answers_apart
        )

    def score(self, documents: pl.DataFrame) -> np.ndarray:
        """P(yes), (D,) float64."""
        from scipy.special import expit

        forward, encoder = self._forward, self._encoder
        texts, n_document = documents["text"], self._n_document
        tokens = self.runtime.token_cache.first_tokens(encoder, texts, n_document)
        before, after = self._frame
        rows = []
        for text, ids in zip(texts, tokens, strict=True):
            if self._prompt.marker in text:
                ids = encoder.first_tokens([self._prompt.inside(text)], n_document)[0]
            rows.append(np.concatenate([before, ids, after]).astype(np.int64))
        return np.asarray(expit(forward(rows)[:, 0])) if rows else np.empty(0)
