"""DCLM's published fastText classifier (Li et al. 2024, arXiv:2406.11794)."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import polars as pl

from quadmix_assets.features.criteria.base import Criterion
from quadmix_assets.features.fasttext_model import FasttextModel
from quadmix_assets.features.inference.checkpoint import (
    Checkpoint,
    CheckpointError,
    find_checkpoint,
)
from quadmix_assets.features.learned.published import Published
from quadmix_assets.settings import DclmSettings


class DclmCriterion(Published[DclmSettings], Criterion[DclmSettings]):
    """P(hq) as the classifier reports it, at most 1: text like instructions and explanations.

    fastText reports up to 1.00001, which is clipped. The text is read as one line. Documents
    without words score 0. The model has 2.4 GB and is read where it lies.
    """

    version = "1"

    def _find(self, pinned: Mapping[str, str]) -> Checkpoint:
        settings = self.settings
        return find_checkpoint(
            settings.model, settings.revision, self.runtime, files=[settings.file], pinned=pinned
        )

    def fit(self, target_texts: Sequence[str], pool_texts: Sequence[str], *, seed: int) -> None:
        """Open the model, so that what is wrong with it shows before any scoring.

        Raises:
            CheckpointError: it is not there, or has no such label.
        """
        _ = self._model

    @cached_property
    def _model(self) -> FasttextModel:
        path = self.folder / self.settings.file
        if not path.is_file():
            raise CheckpointError(
                f"{path} is not there: criterion {self.name!r} expects the file of its setting "
                "`file` in the folder of its model"
            )
        try:
            model = FasttextModel.open(path)
        except ValueError as error:
            raise CheckpointError(f"criterion {self.name!r}: {error}") from error
        if self.settings.label not in model.labels:
            raise CheckpointError(
                f"{path}: criterion {self.name!r} wants the probability of the label "
                f"{self.settings.label!r}, but the model's labels are {', '.join(model.labels)}: "
                "name one of them as `label`"
            )
        return model

    def score(self, documents: pl.DataFrame) -> np.ndarray:
        """P(hq), (D,) float64."""
        model = self._model
        reported = model.reported(documents["text"].to_list())
        return np.minimum(reported[:, model.labels.index(self.settings.label)], 1.0)
