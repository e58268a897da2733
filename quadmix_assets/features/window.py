"""Documents that are scored together, and the features of them that several criteria read."""

from collections.abc import Hashable
from typing import Any, Protocol, TypeVar, cast

import polars as pl

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Feature(Hashable, Protocol[T_co]):
    """Something to be computed from documents; equal features give the same."""

    def of(self, documents: pl.DataFrame) -> T_co:
        """Compute it, from each document alone; whoever reads the result leaves it as it is."""


class Window:
    """Documents that are scored together.

    Attributes:
        documents: D rows, with the columns that were read.
    """

    def __init__(self, documents: pl.DataFrame) -> None:
        """Nothing is computed before somebody asks for it."""
        self.documents = documents
        self._computed: dict[Feature[Any], Any] = {}

    def get(self, feature: Feature[T]) -> T:
        """The feature of the documents, computed when it is first asked for."""
        if feature not in self._computed:
            self._computed[feature] = feature.of(self.documents)
        return cast(T, self._computed[feature])
