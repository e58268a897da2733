"""A score that the input brings along, in a carried column."""

import numpy as np
import polars as pl

from quadmix_assets.features.criteria.base import Criterion
from quadmix_assets.settings import ColumnCriterionSettings


class ColumnCriterion(Criterion[ColumnCriterionSettings]):
    """The values of a numeric column, negated where the settings say that smaller is better."""

    version = "1"

    @property
    def columns(self) -> tuple[str, ...]:
        """The column of the settings."""
        return (self.settings.column,)

    def score(self, documents: pl.DataFrame) -> np.ndarray:
        """The column as (D,) float64, larger is better.

        Raises:
            ValueError: values are missing, not finite or no numbers.
        """
        column = documents[self.settings.column]
        if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
            raise ValueError(
                f"criterion {self.name!r}: the column {column.name!r} holds {column.dtype}, not "
                "numbers: give its type in corpus.carried_columns as float or int"
            )
        values = column.cast(pl.Float64)
        bad = ~values.is_finite().fill_null(False)
        if bad.any():
            where = documents.filter(bad).head(5)
            examples = ", ".join(
                f"{document!r}: {value}"
                for document, value in zip(where["id"], where[column.name], strict=True)
            )
            raise ValueError(
                f"criterion {self.name!r}: the column {column.name!r} has no usable score in "
                f"{bad.sum()} of {len(values)} rows ({examples}): score these documents, remove "
                "them from the input, or take another criterion"
            )
        scores = values.to_numpy()
        return scores if self.settings.larger_is_better else 0.0 - scores
