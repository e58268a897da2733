"""Support vector regression, linear and RBF, with which the paper compares LightGBM (Figure 3)."""

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from quadmix_assets.sampling.validation import FloatArray, check_floats
from quadmix_assets.search.regressors.base import folds_of, others, training_part
from quadmix_assets.search.regressors.columns import ColumnScaler
from quadmix_assets.settings.regressor import RegressorSettings

if TYPE_CHECKING:
    from sklearn.svm import SVR

_GRIDS: dict[str, dict[str, tuple[float, ...]]] = {
    "linear": {"C": (0.003, 0.03, 0.3)},
    # In units of 1 / number of inputs, scikit-learn's "scale" for columns of standard deviation 1.
    "rbf": {"C": (1.0, 10.0), "gamma": (0.1, 0.3, 1.0)},
}
_EPSILON = 0.1


class SVRLinearSettings(RegressorSettings):
    """Support vector regression with a linear kernel; cross-validation chooses C."""

    kind: Literal["svr_linear"] = "svr_linear"
    label: ClassVar[str] = "SVR, linear"

    def fit(
        self, inputs: FloatArray, losses: FloatArray, *, seed: int, n_threads: int
    ) -> "SVRRegressor":
        """As in `RegressorSettings`."""
        return SVRRegressor.fit("linear", inputs, losses, seed=seed)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "SVRRegressor":
        """As in `RegressorSettings`."""
        return SVRRegressor.from_json(values)


class SVRRBFSettings(RegressorSettings):
    """Support vector regression with an RBF kernel; cross-validation chooses C and gamma."""

    kind: Literal["svr_rbf"] = "svr_rbf"
    label: ClassVar[str] = "SVR, RBF"

    def fit(
        self, inputs: FloatArray, losses: FloatArray, *, seed: int, n_threads: int
    ) -> "SVRRegressor":
        """As in `RegressorSettings`."""
        return SVRRegressor.fit("rbf", inputs, losses, seed=seed)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "SVRRegressor":
        """As in `RegressorSettings`."""
        return SVRRegressor.from_json(values)


@dataclass(frozen=True, eq=False)
class SVRRegressor:
    """Support vector regression on scaled inputs and losses.

    Losses are scaled too: the margin within which errors cost nothing is absolute, and the losses
    of all proxies would be within it.

    Attributes:
        kernel: "linear" or "rbf".
        scaler: of the inputs.
        rows: (n, P) scaled inputs of the training part.
        losses: (n,) of the training part, in nats.
        options: C, and gamma of RBF, that cross-validation chose.
        error: root mean square error in cross-validation, in nats; the standard deviation of every
            prediction.
        model: scikit-learn's, fitted to the rows.
    """

    kernel: Literal["linear", "rbf"]
    scaler: ColumnScaler
    rows: FloatArray
    losses: FloatArray
    options: dict[str, float]
    error: float
    model: "SVR"

    @property
    def kind(self) -> str:
        """As in `Regressor`."""
        return f"svr_{self.kernel}"

    @property
    def training_mean(self) -> float:
        """As in `Regressor`."""
        return float(self.losses.mean())

    @classmethod
    def fit(
        cls, kernel: Literal["linear", "rbf"], inputs: ArrayLike, losses: ArrayLike, *, seed: int
    ) -> "SVRRegressor":
        """Fit; cross-validation inside these rows chooses C, and gamma of RBF.

        Raises:
            ValueError: an unknown kernel, or as in `training_part`.
        """
        if kernel not in _GRIDS:
            raise ValueError(f"kernel is {kernel!r}; expected 'linear' or 'rbf'")
        matrix, target = training_part(inputs, losses)
        scaler = ColumnScaler.fit(matrix)
        rows = scaler(matrix)
        grid = _GRIDS[kernel]
        best: dict[str, float] = {}
        least = np.inf
        for values in itertools.product(*grid.values()):
            options = dict(zip(grid, values, strict=True))
            squares = 0.0
            for fold in folds_of(len(target), seed):
                rest = others(len(target), fold)
                model = _fit(kernel, rows[rest], target[rest], options)
                predicted = _predict(model, rows[fold], target[rest])
                squares += float(((predicted - target[fold]) ** 2).sum())
            if squares < least:
                best, least = options, squares
        error = float(np.sqrt(least / len(target)))
        return cls(kernel, scaler, rows, target, best, error, _fit(kernel, rows, target, best))

    def predict(self, inputs: ArrayLike) -> FloatArray:
        """As in `Regressor`."""
        matrix = check_floats("inputs", inputs, (None, self.scaler.n_columns))
        if not len(matrix):
            return np.empty(0)
        return _predict(self.model, self.scaler(matrix), self.losses)

    def standard_deviation(self, inputs: ArrayLike) -> FloatArray:
        """As in `Regressor`: the cross-validation error, as the model itself estimates none."""
        matrix = check_floats("inputs", inputs, (None, self.scaler.n_columns))
        return np.full(len(matrix), self.error)

    def to_json(self) -> dict[str, Any]:
        """As in `Regressor`: the training part and options, from which `from_json` fits again."""
        return {
            "kind": self.kind,
            "scaler": self.scaler.to_json(),
            "rows": self.rows.tolist(),
            "losses": self.losses.tolist(),
            "options": self.options,
            "error": self.error,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "SVRRegressor":
        """The inverse of `to_json`."""
        kernel: Literal["linear", "rbf"] = values["kind"].removeprefix("svr_")
        rows, losses = np.asarray(values["rows"]), np.asarray(values["losses"])
        return cls(
            kernel,
            ColumnScaler.from_json(values["scaler"]),
            rows,
            losses,
            values["options"],
            values["error"],
            _fit(kernel, rows, losses, values["options"]),
        )


def _fit(kernel: str, rows: FloatArray, losses: FloatArray, options: dict[str, float]) -> "SVR":
    # Imported here: settings are also read where nothing is fitted.
    from sklearn.svm import SVR

    chosen = dict(options)
    if "gamma" in chosen:
        chosen["gamma"] /= max(rows.shape[1], 1)
    spread = losses.std() or 1.0
    return SVR(kernel=kernel, epsilon=_EPSILON, **chosen).fit(
        rows, (losses - losses.mean()) / spread
    )


def _predict(model: "SVR", rows: FloatArray, losses: FloatArray) -> FloatArray:
    spread = losses.std() or 1.0
    return np.asarray(model.predict(rows) * spread + losses.mean())
