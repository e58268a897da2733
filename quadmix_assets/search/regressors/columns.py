"""Transforms regressor inputs to comparable, unskewed scales, for regressors that are not trees.

Shares of a mix are many small numbers and few large ones, and lam covers three decades; without a
transform most rows would look alike. Transforms are chosen on the training rows alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quadmix_assets.sampling.validation import FloatArray

# A column of shares with a larger skewness is replaced by powers.
_SKEWED = 1.5
# A positive column with a larger ratio of its largest to its least value is replaced by logarithms.
_WIDE_RATIO = 100.0
# Added before a power is taken: the slope of small powers is infinite at 0.
_SHIFT = 1e-4
# Two powers of a skewed share: the first resolves large shares, the second small ones.
_POWERS = (0.5, 0.15)


@dataclass(frozen=True, eq=False)
class ColumnScaler:
    """F columns -> P columns of mean 0 and standard deviation 1; constant columns are dropped.

    Attributes:
        n_columns: F.
        columns: (P) index of the column that each result is made of.
        powers: (P) its exponent; 1 is the column itself, 0 its logarithm.
        means, standard_deviations: (P,) of the results over the training rows.
    """

    n_columns: int
    columns: tuple[int, ...]
    powers: tuple[float, ...]
    means: FloatArray
    standard_deviations: FloatArray

    @classmethod
    def fit(cls, matrix: FloatArray) -> "ColumnScaler":
        """Choose transforms and scales on training rows (n, F)."""
        columns: list[int] = []
        powers: list[float] = []
        for j, values in enumerate(matrix.T):
            spread = values.std()
            if spread <= 1e-12 * max(1.0, float(np.abs(values).max())):
                continue
            skew = np.mean(((values - values.mean()) / spread) ** 3)
            chosen: tuple[float, ...] = (1.0,)
            if values.min() > 0 and values.max() > max(_WIDE_RATIO * values.min(), 10.0):
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
        """Scaled inputs (n, P) of inputs (n, F)."""
        return (_raw(matrix, self.columns, self.powers) - self.means) / self.standard_deviations

    def to_json(self) -> dict[str, Any]:
        """As JSON, for a file; float64 is kept exactly."""
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
