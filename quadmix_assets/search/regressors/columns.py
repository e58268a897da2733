"""Brings the columns of inputs to comparable, unskewed scales, for regressors that are not trees.

What becomes of a column is decided on the training rows alone: a share of a mix is many small
numbers and few large ones, and lam runs over three decades; on such a scale most rows would look
alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quadmix_assets.sampling.validation import FloatArray

_SKEWED = 1.5
_DECADES = 100.0
_SHIFT = 1e-4
# Two powers of a skewed share: one tells the large ones apart, one the small ones.
_POWERS = (0.5, 0.15)


@dataclass(frozen=True, eq=False)
class ColumnScaler:
    """Columns (F) -> columns (P) of mean 0 and standard deviation 1, without constant ones.

    Attributes:
        n_columns: F.
        columns: (P) the column that each input is made of.
        powers: (P) its exponent; 1 is the column itself, 0 its logarithm.
        means, standard_deviations: (P,) over the training rows.
    """

    n_columns: int
    columns: tuple[int, ...]
    powers: tuple[float, ...]
    means: FloatArray
    standard_deviations: FloatArray

    @classmethod
    def fit(cls, matrix: FloatArray) -> "ColumnScaler":
        """Choose by training rows (n, F)."""
        columns: list[int] = []
        powers: list[float] = []
        for j, values in enumerate(matrix.T):
            spread = values.std()
            if spread <= 1e-12 * max(1.0, float(np.abs(values).max())):
                continue
            skew = np.mean(((values - values.mean()) / spread) ** 3)
            chosen: tuple[float, ...] = (1.0,)
            if values.min() > 0 and values.max() > max(_DECADES * values.min(), 10.0):
                chosen = (0.0,)
            elif values.min() >= 0 and values.max() <= 1 and skew > _SKEWED:
                chosen = _POWERS
            columns += [j] * len(chosen)
            powers += chosen
        raw = _raw(matrix, columns, powers)
        return cls(
            matrix.shape[1], tuple(columns), tuple(powers), raw.mean(axis=0), raw.std(axis=0)
        )

    def __call__(self, matrix: FloatArray) -> FloatArray:
        """Inputs (n, P) of columns (n, F)."""
        return (_raw(matrix, self.columns, self.powers) - self.means) / self.standard_deviations

    def to_json(self) -> dict[str, Any]:
        """For a file; JSON keeps float64 exactly."""
        return {
            "n_columns": self.n_columns,
            "columns": list(self.columns),
            "powers": list(self.powers),
            "means": self.means.tolist(),
            "standard_deviations": self.standard_deviations.tolist(),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ColumnScaler":
        """The inverse of `to_json`."""
        return cls(
            values["n_columns"],
            tuple(values["columns"]),
            tuple(values["powers"]),
            np.asarray(values["means"], dtype=np.float64),
            np.asarray(values["standard_deviations"], dtype=np.float64),
        )


def _raw(matrix: FloatArray, columns: Sequence[int], powers: Sequence[float]) -> FloatArray:
    raw = np.empty((len(matrix), len(columns)))
    for k, (j, power) in enumerate(zip(columns, powers, strict=True)):
        values = matrix[:, j]
        if power == 0.0:
            raw[:, k] = np.log(np.maximum(values, np.finfo(float).tiny))
        elif power == 1.0:
            raw[:, k] = values
        else:
            raw[:, k] = (np.maximum(values, 0.0) + _SHIFT) ** power
    return raw
