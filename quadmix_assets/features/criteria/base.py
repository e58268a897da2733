"""The interface of quality criteria."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
import polars as pl

from quadmix_assets.features.learned.pinned import Fitted
from quadmix_assets.features.window import Window
from quadmix_assets.settings.criteria import CriterionSettings

SettingsT = TypeVar("SettingsT", bound=CriterionSettings)


class Criterion(Fitted[SettingsT]):
    """A quality criterion, q[n] of the paper: one raw score per document, larger is better.

    A score depends on the document and on the fitted model, never on the other documents of a
    batch. It keeps the scale of its scorer; sigma maps all criteria to a common one.
    """

    @property
    def name(self) -> str:
        """The name in the settings, which is also the name of the column of scores."""
        return self.settings.name

    @property
    def extra_columns(self) -> Mapping[str, type[pl.DataType]]:
        """Names and types of further columns that are derived from the score: Int64 or Float64."""
        return {}

    def extras(self, scores: np.ndarray) -> dict[str, np.ndarray]:
        """The extra columns of D documents, each (D,), from their scores (D,)."""
        return {}

    def fit(self, target_texts: Sequence[str], pool_texts: Sequence[str], *, seed: int) -> None:
        """Learn from texts of the target set and of the pool; their order does not matter.

        Args:
            target_texts: of the `fit` part of the target set that the settings name; empty if
                they name none.
            pool_texts: a sample of about `settings.pool_sample_size` documents of the pool.
            seed: of everything random.
        """

    @abstractmethod
    def score(self, documents: pl.DataFrame) -> np.ndarray:
        """Raw scores (D,) float64 of D documents, finite, larger is better.

        Args:
            documents: D rows with the columns `id` and `settings.columns_read`.

        Raises:
            NotFittedError: it learns, and has neither been fitted nor loaded.
        """

    def score_window(self, window: Window) -> np.ndarray:
        """The same scores (D,) of a window that other criteria score too.

        A criterion overrides it whose features of the texts others read as well, such as those of
        its own kind: `window.get` computes them once for all.

        Raises:
            NotFittedError: see `score`.
        """
        return self.score(window.documents)
