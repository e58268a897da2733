"""The one interface of all domain classifiers."""

from abc import abstractmethod
from collections.abc import Sequence

import polars as pl

from quadmix_assets.features.learned.pinned import Fitted, SettingsT


class DomainClassifier(Fitted[SettingsT]):
    """Gives each document its domain m of the paper: one of the settings' names, or `unknown`.

    A label depends on the document and on what was learnt, never on the rest of a batch.
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a document that it reads."""
        return ("text",)

    @property
    def n_pool_documents(self) -> int:
        """How many documents of the pool it learns from; 0 if it learns nothing from the pool."""
        return 0

    def fit(self, texts: Sequence[str], labels: Sequence[str], *, seed: int) -> None:
        """Learn from labelled examples, or, without labels, from the pool; their order is free."""

    @abstractmethod
    def classify(self, documents: pl.DataFrame) -> pl.DataFrame:
        """One row per document: `domain` (String) and `confidence` (Float64, in [0, 1]).

        Raises:
            NotFittedError: it learns, and has neither been fitted nor loaded.
        """
