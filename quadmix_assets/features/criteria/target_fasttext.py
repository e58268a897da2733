"""DCLM's classifier recipe: how much a document reads like the target set (arXiv:2406.11794)."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from quadmix_assets.features.criteria.base import Criterion
from quadmix_assets.features.fasttext_model import FasttextModel
from quadmix_assets.features.learned.pinned import NotFittedError
from quadmix_assets.settings import TargetFasttextSettings

_TARGET, _POOL = "target", "pool"
_MODEL = "model.bin"


class TargetFasttextCriterion(Criterion[TargetFasttextSettings]):
    """P(target | document) of a fastText classifier of target texts against pool texts.

    The score lies in [0, 1] and grows with the share of target texts among those it was fitted
    on, so it is no calibrated probability; its order is what counts. Documents without words
    score 0.
    """

    version = "1"
    _model: FasttextModel | None = None

    @property
    def target(self) -> str:
        """The target set of the settings."""
        return self.settings.target

    @property
    def n_pool_documents(self) -> int:
        """Documents of the pool that stand for text unlike the target."""
        return self.settings.n_pool_documents

    def fit(self, target_texts: Sequence[str], pool_texts: Sequence[str], *, seed: int) -> None:
        """Train the classifier: target texts are its positives, pool texts its negatives.

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
                f"{self.target!r} and {len(pool_texts)} of the pool: {error}"
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
