"""DCLM's published fastText classifier (Li et al. 2024, arXiv:2406.11794)."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl
from pydantic import Field

from quadmix_assets.features.criteria.base import Criterion
from quadmix_assets.features.fasttext_model import FasttextModel
from quadmix_assets.features.inference.checkpoint import (
    Checkpoint,
    CheckpointError,
    find_checkpoint,
)
from quadmix_assets.features.learned.published import Published
from quadmix_assets.settings.criteria import CriterionSettings


class DclmSettings(CriterionSettings):
    """DCLM's published fastText classifier: text like instructions and explanations."""

    kind: Literal["dclm"]
    model: str = Field(
        default="mlfoundations/fasttext-oh-eli5",
        description="hub id or folder that holds `file`; the default is DCLM's own classifier",
    )
    revision: str = Field(
        default="cd8b714a90f2dbcd3b02cf5fc972e5d7c7f4f107",
        description="commit, branch or tag of a model of the hub; the default is a commit, so that "
        "scores do not change when the hub does",
    )
    file: str = Field(
        default="openhermes_reddit_eli5_vs_rw_v2_bigram_200k_train.bin",
        description="the binary fastText model in the folder or repository of `model` (DCLM's has "
        "2.4 GB); no other file is downloaded",
    )
    label: str = Field(
        default="hq",
        description="the label whose probability is the score; `hq` (high quality) is the "
        "positive class of DCLM's model",
    )

    def implementation(self) -> "type[DclmCriterion]":
        """See `CriterionSettings`."""
        return DclmCriterion

    @property
    def score_meaning(self) -> str:
        """See `CriterionSettings`."""
        return "P(high quality) by DCLM's fastText classifier, larger is better"

    @property
    def score_unit(self) -> str:
        """See `CriterionSettings`."""
        return "probability, 0 to 1"


class DclmCriterion(Published[DclmSettings], Criterion[DclmSettings]):
    """P(hq) of the classifier, at most 1; high for text like instructions and explanations.

    fastText reports up to 1.00001, which is clipped to 1. Line ends of a text are read as spaces.
    Documents without words score 0. The model (2.4 GB) is loaded from its folder and not copied.
    """

    code_version = "1"

    def _find(self, pinned: Mapping[str, str]) -> Checkpoint:
        settings = self.settings
        return find_checkpoint(
            settings.model, settings.revision, self.runtime, files=[settings.file], pinned=pinned
        )

    def fit(self, target_texts: Sequence[str], pool_texts: Sequence[str], *, seed: int) -> None:
        """Open the model, so that errors show before any scoring; nothing is learned.

        Raises:
            CheckpointError: the file is missing, is not a fastText model, or lacks the label.
        """
        _ = self._model

    @cached_property
    def _model(self) -> FasttextModel:
        path = self.folder / self.settings.file
        if not path.is_file():
            raise CheckpointError(
                f"{path} is not there: criterion {self.name!r} expects a fastText model under "
                "the name of its setting `file`, in the folder of its setting `model`"
            )
        try:
            model = FasttextModel.open(path)
        except ValueError as error:
            raise CheckpointError(f"criterion {self.name!r}: {error}") from error
        if self.settings.label not in model.labels:
            raise CheckpointError(
                f"{path}: criterion {self.name!r} needs the probability of the label "
                f"{self.settings.label!r}, but the model's labels are {', '.join(model.labels)}: "
                "name one of them as `label`"
            )
        return model

    def score(self, documents: pl.DataFrame) -> np.ndarray:
        """P(hq), (D,) float64."""
        model = self._model
        reported = model.reported(documents["text"].to_list())
        return np.minimum(reported[:, model.labels.index(self.settings.label)], 1.0)
