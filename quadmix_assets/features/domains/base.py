"""The interface of domain classifiers."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar

import polars as pl

from quadmix_assets.features.learned.pinned import Fitted
from quadmix_assets.settings.domains import DomainsSettings

SettingsT = TypeVar("SettingsT", bound=DomainsSettings)


class DomainClassifier(Fitted[SettingsT]):
    """Gives each document its domain m of the paper: one of the settings' names, or `unknown`.

    A label depends on the document and on the fitted model, never on the rest of a batch.
    """

    def fit(self, texts: Sequence[str], labels: Sequence[str], *, seed: int) -> None:
        """Learn from labelled examples, or from texts of the pool; their order does not matter.

        Args:
            texts: of the examples, or of the pool.
            labels: one per text; empty where the texts are of the pool.
            seed: of everything random.
        """

    def describe(self) -> pl.DataFrame | None:
        """A small table of the domains that `fit` found; None if it does not find domains.

        Raises:
            NotFittedError: it learns, and has neither been fitted nor loaded.
        """
        return None

    @abstractmethod
    def classify(self, documents: pl.DataFrame) -> pl.DataFrame:
        """One row per document: `domain` (String) and `confidence` (Float64, in [0, 1]).

        Args:
            documents: D rows with the columns `id` and `settings.columns_read`.

        Raises:
            NotFittedError: it learns, and has neither been fitted nor loaded.
        """
