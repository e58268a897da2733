"""Ridge regression on the logarithm of the loss: effects of inputs multiply."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from quadmix_assets.sampling.validation import FloatArray, check_floats
from quadmix_assets.search.regressors.base import training_part
from quadmix_assets.search.regressors.columns import ColumnScaler
from quadmix_assets.settings.regressor import RegressorSettings


class RidgeLogSettings(RegressorSettings):
    """Ridge regression on the logarithm of the loss."""

    kind: Literal["ridge_log"] = "ridge_log"
    label: ClassVar[str] = "ridge on log-loss"

    def fit(
        self, inputs: FloatArray, losses: FloatArray, *, seed: int, n_threads: int
    ) -> "RidgeLogRegressor":
        """As in `RegressorSettings`; nothing in it is random."""
        return RidgeLogRegressor.fit(inputs, losses)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "RidgeLogRegressor":
        """As in `RegressorSettings`."""
        return RidgeLogRegressor.from_json(values)

    def can_fit(self, losses: FloatArray) -> bool:
        """As in `RegressorSettings`: losses must have a logarithm."""
        return bool((losses > 0).all())


@dataclass(frozen=True, eq=False)
class RidgeLogRegressor:
    """log(loss) = intercept + inputs · coefficients; the marginal likelihood chooses the penalty.

    Attributes:
        scaler: of the inputs.
        coefficients: (P,), of the scaled inputs.
        intercept: of log(loss).
        covariance: (P, P) of the coefficients, given the rows.
        training_mean: mean loss of the training part, in nats.
    """

    scaler: ColumnScaler
    coefficients: FloatArray
    intercept: float
    covariance: FloatArray
    training_mean: float

    @property
    def kind(self) -> str:
        """As in `Regressor`."""
        return "ridge_log"

    @classmethod
    def fit(cls, inputs: ArrayLike, losses: ArrayLike) -> "RidgeLogRegressor":
        """Fit; the marginal likelihood (MacKay 1992) chooses penalty and noise on all rows.

        Raises:
            ValueError: a loss is not positive, or as in `training_part`.
        """
        # Imported here: settings are also read where nothing is fitted.
        from sklearn.linear_model import BayesianRidge

        matrix, target = training_part(inputs, losses)
        if target.min() <= 0:
            raise ValueError(f"losses[{int(target.argmin())}] is {target.min()}; expected above 0")
        scaler = ColumnScaler.fit(matrix)
        logs = np.log(target)
        # The priors and the start of the iteration assume values of about 1.
        spread = float(logs.std()) or 1.0
        model = BayesianRidge().fit(scaler(matrix), (logs - logs.mean()) / spread)
        return cls(
            scaler,
            np.asarray(model.coef_) * spread,
            float(model.intercept_ * spread + logs.mean()),
            np.asarray(model.sigma_) * spread**2,
            float(target.mean()),
        )

    def predict(self, inputs: ArrayLike) -> FloatArray:
        """As in `Regressor`."""
        return np.asarray(np.exp(self._rows(inputs) @ self.coefficients + self.intercept))

    def standard_deviation(self, inputs: ArrayLike) -> FloatArray:
        """As in `Regressor`: from the covariance of the coefficients."""
        rows = self._rows(inputs)
        variance = np.einsum("np,pq,nq->n", rows, self.covariance, rows)
        return np.asarray(self.predict(inputs) * np.sqrt(np.maximum(variance, 0.0)))

    def to_json(self) -> dict[str, Any]:
        """As in `Regressor`."""
        return {
            "kind": self.kind,
            "scaler": self.scaler.to_json(),
            "coefficients": self.coefficients.tolist(),
            "intercept": self.intercept,
            "covariance": self.covariance.tolist(),
            "training_mean": self.training_mean,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "RidgeLogRegressor":
        """The inverse of `to_json`."""
        return cls(
            ColumnScaler.from_json(values["scaler"]),
            np.asarray(values["coefficients"]),
            values["intercept"],
            np.asarray(values["covariance"]),
            values["training_mean"],
        )

    def _rows(self, inputs: ArrayLike) -> FloatArray:
        matrix = check_floats("inputs", inputs, (None, self.scaler.n_columns))
        return self.scaler(matrix)
