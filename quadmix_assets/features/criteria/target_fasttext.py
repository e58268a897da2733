"""DCLM's classifier recipe: how similar a document is to a target set (arXiv:2406.11794)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import Field

from quadmix_assets.features.criteria.base import Criterion
from quadmix_assets.features.fasttext_model import FasttextModel
from quadmix_assets.features.learned.pinned import NotFittedError
from quadmix_assets.settings.base import Name, PositiveInt
from quadmix_assets.settings.criteria import CriterionSettings

_TARGET, _POOL = "target", "pool"
_MODEL = "model.bin"


class TargetFasttextSettings(CriterionSettings):
    """DCLM's recipe: a fastText classifier of target-like text against pool text."""

    kind: Literal["target_fasttext"]
    target: Name = Field(description="the target set whose texts are the positive examples")
    n_pool_documents: PositiveInt = Field(
        default=10_000,
        description="documents sampled from the pool as negative examples; the default equals the "
        "default size of a target set, so that the classes are balanced",
    )
    epochs: PositiveInt = Field(
        default=5, description="passes over the examples; fastText's own default"
    )
    dimension: PositiveInt = Field(
        default=32,
        description="length of a word vector; two classes need less than fastText's 100",
    )
    n_word_ngrams: PositiveInt = Field(
        default=2, description="longest word n-gram that the classifier reads; 2 as in DCLM"
    )
    learning_rate: Annotated[float, Field(gt=0)] = Field(
        default=0.1, description="fastText's own default for classifiers"
    )
    n_buckets: PositiveInt = Field(
        default=200_000,
        description="hash buckets of n-grams; with dimension 32 they take 26 MB",
    )

    def implementation(self) -> "type[TargetFasttextCriterion]":
        """See `CriterionSettings`."""
        return TargetFasttextCriterion

    @property
    def score_meaning(self) -> str:
        """See `CriterionSettings`."""
        return (
            "P(target set) by a fastText classifier of target texts against pool "
            "texts, larger is better"
        )

    @property
    def score_unit(self) -> str:
        """See `CriterionSettings`."""
        return "0 to 1"

    @property
    def target_learned_from(self) -> str:
        """The setting `target`."""
        return self.target

    @property
    def pool_sample_size(self) -> int:
        """The setting `n_pool_documents`."""
        return self.n_pool_documents


class TargetFasttextCriterion(Criterion[TargetFasttextSettings]):
    """P(target | document) of a fastText classifier of target texts against pool texts.

    The score is in [0, 1]. It grows with the share of target texts in the training data, so it is
    not a calibrated probability: only the order of documents is meaningful. Documents without words
    score 0.
    """

    code_version = "1"
    _model: FasttextModel | None = None

    def fit(self, target_texts: Sequence[str], pool_texts: Sequence[str], *, seed: int) -> None:
        """Train the classifier: target texts are positive examples, pool texts negative ones.

        Raises:
            ValueError: one side has no text with words, or training diverged.
        """
        settings = self.settings
        try:
            self._model = FasttextModel.train(
                [*target_texts, *pool_texts],
                [_TARGET] * len(target_texts) + [_POOL] * len(pool_texts),
                seed=seed,
                epochs=settings.epochs,
                dimension=settings.dimension,
                n_word_ngrams=settings.n_word_ngrams,
                learning_rate=settings.learning_rate,
                n_buckets=settings.n_buckets,
            )
        except ValueError as error:
            raise ValueError(
                f"criterion {self.name!r}, fitted on {len(target_texts)} texts of the target set "
                f"{settings.target!r} and {len(pool_texts)} of the pool: {error}"
            ) from error

    def score(self, documents: pl.DataFrame) -> np.ndarray:
        """P(target), (D,) float64."""
        if self._model is None:
            raise NotFittedError(f"criterion {self.name!r}: fit or load it before it scores")
        probabilities = self._model.probabilities(documents["text"].to_list())
        return probabilities[:, self._model.labels.index(_TARGET)].copy()

    def _files(self) -> dict[str, bytes]:
        if self._model is None:
            raise NotFittedError(f"criterion {self.name!r}: fit it before it is saved")
        return {_MODEL: self._model.content}

    def _restore(self, files: Mapping[str, bytes]) -> None:
        self._model = FasttextModel(files[_MODEL])
