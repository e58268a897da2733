"""FineWeb-Edu's classifier of educational value (Penedo et al. 2024, arXiv:2406.17557)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
from pydantic import Field

from quadmix_assets.features.criteria.base import Criterion
from quadmix_assets.features.inference.checkpoint import CheckpointError, require_safetensors
from quadmix_assets.features.learned.published import Published
from quadmix_assets.settings.base import PositiveInt
from quadmix_assets.settings.criteria import CriterionSettings

if TYPE_CHECKING:
    import torch

    from quadmix_assets.features.inference.framed import FramedEncoder

_LARGEST = 5


class FinewebEduSettings(CriterionSettings):
    """FineWeb-Edu's classifier of educational value: an encoder with one regression output."""

    kind: Literal["fineweb_edu"]
    model: str = Field(
        default="HuggingFaceFW/fineweb-edu-classifier",
        description="hub id or folder of an encoder with one output; the default is FineWeb-Edu's",
    )
    revision: str = Field(
        default="284663cbb2dabf9bda30d8f8cc49601251ee1631",
        description="commit, branch or tag of a model of the hub; the default is a commit, so that "
        "scores do not change when the hub does",
    )
    max_tokens: PositiveInt = Field(
        default=512,
        description="tokens read of a document, special tokens included; 512 is the context that "
        "the classifier was trained with",
    )

    def implementation(self) -> type[FinewebEduCriterion]:
        """See `CriterionSettings`."""
        return FinewebEduCriterion

    @property
    def score_meaning(self) -> str:
        """See `CriterionSettings`."""
        return "educational value by FineWeb-Edu's classifier, larger is better"

    @property
    def score_unit(self) -> str:
        """See `CriterionSettings`."""
        return "about 0 to 5"

    @property
    def extra_meanings(self) -> Mapping[str, str]:
        """See `CriterionSettings`."""
        return {f"{self.name}_int": f"{self.name} rounded, as FineWeb-Edu publishes it, 0 to 5"}

    @property
    def runs_network(self) -> bool:
        """True: it runs a transformer."""
        return True


class FinewebEduCriterion(Published[FinewebEduSettings], Criterion[FinewebEduSettings]):
    """The regression output of an encoder: about 0 (no educational value) to 5.

    It is neither clipped nor rounded. The extra column `<name>_int` is the score rounded to an
    integer from 0 to 5, as FineWeb-Edu publishes it.
    """

    code_version = "1"

    def fit(self, target_texts: Sequence[str], pool_texts: Sequence[str], *, seed: int) -> None:
        """Check that the checkpoint is there and of the right kind; nothing is learned.

        Raises:
            CheckpointError: it is missing, or of another kind.
        """
        require_safetensors(self.folder)
        path = self.folder / "config.json"
        config = json.loads(path.read_bytes())
        architectures = config.get("architectures") or []
        n_outputs = len(config.get("id2label") or [0, 1])
        if n_outputs != 1 or "SequenceClassification" not in "".join(architectures):
            raise CheckpointError(
                f"{path}: criterion {self.name!r} expects an encoder for sequence classification "
                f"with one output, the checkpoint is {', '.join(architectures)} with {n_outputs}: "
                "correct `model`"
            )

    @property
    def extra_columns(self) -> Mapping[str, type[pl.DataType]]:
        """`<name>_int`, the score as an integer."""
        return {f"{self.name}_int": pl.Int64}

    def extras(self, scores: np.ndarray) -> dict[str, np.ndarray]:
        """Scores (D,) rounded to integers from 0 to 5."""
        return {f"{self.name}_int": np.rint(np.clip(scores, 0, _LARGEST)).astype(np.int64)}

    @cached_property
    def _encode(self) -> FramedEncoder:
        from transformers import AutoModelForSequenceClassification

        from quadmix_assets.features.inference.framed import FramedEncoder
        from quadmix_assets.features.inference.networks import load_network

        network = load_network(AutoModelForSequenceClassification, self.folder, self.runtime)

        def outputs(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = network(input_ids=ids, attention_mask=mask).logits
            return logits

        return FramedEncoder(
            self.name, self.folder, outputs, self.runtime, self.settings.max_tokens
        )

    def score(self, documents: pl.DataFrame) -> np.ndarray:
        """The encoder's output, (D,) float64."""
        if documents.is_empty():
            return np.empty(0)
        return self._encode(documents["text"])[:, 0]
