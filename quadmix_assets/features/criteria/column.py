"""A criterion that reads its scores from a numeric column of the input."""

from typing import Literal

import numpy as np
import polars as pl
from pydantic import Field

from quadmix_assets.features.criteria.base import Criterion
from quadmix_assets.settings.base import Name
from quadmix_assets.settings.criteria import CriterionSettings


class ColumnCriterionSettings(CriterionSettings):
    """Scores from a numeric column of the input."""

    kind: Literal["column"]
    name: Name = Field(
        description="name of the criterion, and of its column of scores in every table"
    )
    column: str = Field(description="the numeric column; it must be in corpus.carried_columns too")
    larger_is_better: bool = Field(
        default=True, description="false if smaller values of the column are better"
    )

    def implementation(self) -> "type[ColumnCriterion]":
        """See `CriterionSettings`."""
        return ColumnCriterion

    @property
    def score_meaning(self) -> str:
        """See `CriterionSettings`."""
        sign = "" if self.larger_is_better else " times -1"
        return f"column {self.column!r} of the input{sign}, larger is better"

    @property
    def score_unit(self) -> str:
        """See `CriterionSettings`."""
        return "as in the input"

    @property
    def columns_read(self) -> tuple[str, ...]:
        """The setting `column`; no text is read."""
        return (self.column,)

    @property
    def score_column(self) -> str:
        """The setting `column`."""
        return self.column

    @property
    def reversed_by(self) -> str:
        """The other value of `larger_is_better`."""
        return f"larger_is_better: {str(not self.larger_is_better).lower()}"


class ColumnCriterion(Criterion[ColumnCriterionSettings]):
    """The values of a numeric column, negated where the settings say that smaller is better."""

    code_version = "1"

    def score(self, documents: pl.DataFrame) -> np.ndarray:
        """The column as (D,) float64, larger is better.

        Raises:
            ValueError: values are missing, not finite or not numeric.
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
            unusable = documents.filter(bad).head(5)
            examples = ", ".join(
                f"{document!r}: {value}"
                for document, value in zip(unusable["id"], unusable[column.name], strict=True)
            )
            raise ValueError(
                f"criterion {self.name!r}: the column {column.name!r} has no usable score in "
                f"{bad.sum()} of {len(values)} rows ({examples}): score these documents, remove "
                "them from the input, or take another criterion"
            )
        scores = values.to_numpy()
        # Subtracted, because negating would turn 0.0 into -0.0.
        return scores if self.settings.larger_is_better else 0.0 - scores
