"""Gaussian process regression: accurate with few proxies, with a predictive standard deviation."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from quadmix_assets.sampling.validation import FloatArray, check_floats
from quadmix_assets.search.regressors.base import training_part
from quadmix_assets.search.regressors.columns import ColumnScaler
from quadmix_assets.settings.base import PositiveInt
from quadmix_assets.settings.regressor import RegressorSettings

if TYPE_CHECKING:
    from sklearn.gaussian_process import GaussianProcessRegressor as Process
    from sklearn.gaussian_process.kernels import Kernel

# Up to so many inputs each has a length scale of its own, which tells how relevant it is. With
# hundreds of them and few rows the marginal likelihood fits noise, and one scale for all is better.
_MAX_SCALES = 64
# The loss is modelled as log(loss - 0.8 · least loss): multiplicative effects become additive ones,
# and losses below that of the best proxy can be predicted.
_FLOOR_SHARE = 0.8


class GaussianProcessSettings(RegressorSettings):
    """A Gaussian process, whose standard deviation grows with the distance from the proxies."""

    kind: Literal["gaussian_process"] = "gaussian_process"
    label: ClassVar[str] = "Gaussian process"
    max_kernel_rows: PositiveInt = Field(
        default=800,
        description="largest number of proxies that the kernel's parameters are fitted to; time "
        "grows with its cube, and more of them hardly change the parameters",
    )

    def fit(
        self, inputs: FloatArray, losses: FloatArray, *, seed: int, n_threads: int
    ) -> "GaussianProcessRegressor":
        """As in `RegressorSettings`."""
        return GaussianProcessRegressor.fit(
            inputs, losses, seed=seed, max_kernel_rows=self.max_kernel_rows
        )

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "GaussianProcessRegressor":
        """As in `RegressorSettings`."""
        return GaussianProcessRegressor.from_json(values)


@dataclass(frozen=True, eq=False)
class GaussianProcessRegressor:
    """A Matern 5/2 process on scaled inputs, with noise, fitted by maximum marginal likelihood.

    Attributes:
        scaler: of the inputs.
        rows: (n, P) scaled inputs of the training part.
        losses: (n,) of the training part, in nats.
        hyper: logarithms of the kernel's parameters, as scikit-learn orders them.
        process: scikit-learn's, conditioned on the rows.
    """

    scaler: ColumnScaler
    rows: FloatArray
    losses: FloatArray
    hyper: FloatArray
    process: "Process"

    @property
    def kind(self) -> str:
        """As in `Regressor`."""
        return "gaussian_process"

    @property
    def training_mean(self) -> float:
        """As in `Regressor`."""
        return float(self.losses.mean())

    @classmethod
    def fit(
        cls, inputs: ArrayLike, losses: ArrayLike, *, seed: int, max_kernel_rows: int = 800
    ) -> "GaussianProcessRegressor":
        """Fit; the marginal likelihood chooses the kernel's parameters.

        Raises:
            ValueError: as in `training_part`.
        """
        # Imported in functions: settings are also read where nothing is fitted.
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor as Process

        matrix, target = training_part(inputs, losses)
        scaler = ColumnScaler.fit(matrix)
        rows = scaler(matrix)
        chosen = np.sort(np.random.default_rng(seed).permutation(len(target))[:max_kernel_rows])
        warped = _warp(target, target)
        with warnings.catch_warnings():
            # A length scale at its upper bound is not a failure, but an input without effect.
            warnings.simplefilter("ignore", ConvergenceWarning)
            tuned = Process(_kernel(rows.shape[1])).fit(rows[chosen], warped[chosen])
        hyper = np.asarray(tuned.kernel_.theta)
        return cls(scaler, rows, target, hyper, _conditioned(rows, target, hyper))

    def predict(self, inputs: ArrayLike) -> FloatArray:
        """As in `Regressor`."""
        matrix = check_floats("inputs", inputs, (None, self.scaler.n_columns))
        if not len(matrix):
            return np.empty(0)
        return _unwarp(self.process.predict(self.scaler(matrix)), self.losses)

    def standard_deviation(self, inputs: ArrayLike) -> FloatArray:
        """As in `Regressor`: of the process itself, without the noise of single proxies."""
        matrix = check_floats("inputs", inputs, (None, self.scaler.n_columns))
        if not len(matrix):
            return np.empty(0)
        mean, spread = self.process.predict(self.scaler(matrix), return_std=True)
        noise = np.exp(self.hyper[-1])
        latent = np.sqrt(np.maximum(spread**2 - noise, 0.0))
        floor = _FLOOR_SHARE * self.losses.min()
        return np.asarray((_unwarp(mean, self.losses) - floor) * _spread(self.losses) * latent)

    def sample(self, inputs: ArrayLike, n: int, *, rng: np.random.Generator) -> FloatArray:
        """n joint samples (n, m) in nats of the expected losses at inputs (m, F).

        O(m^3): all m losses are drawn together, with their correlations.

        Raises:
            ValueError: as `predict`.
        """
        matrix = check_floats("inputs", inputs, (None, self.scaler.n_columns))
        mean, covariance = self.process.predict(self.scaler(matrix), return_cov=True)
        # The covariance holds the noise of single proxies, which expected losses have not.
        covariance[np.diag_indices(len(covariance))] -= np.exp(self.hyper[-1])
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        drawn = mean + rng.normal(size=(n, len(mean))) @ root.T
        return _unwarp(drawn, self.losses)

    def to_json(self) -> dict[str, Any]:
        """As in `Regressor`: the rows and the kernel's parameters, which determine the process."""
        return {
            "kind": self.kind,
            "scaler": self.scaler.to_json(),
            "rows": self.rows.tolist(),
            "losses": self.losses.tolist(),
            "hyper": self.hyper.tolist(),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "GaussianProcessRegressor":
        """The inverse of `to_json`."""
        rows, losses = np.asarray(values["rows"]), np.asarray(values["losses"])
        hyper = np.asarray(values["hyper"])
        scaler = ColumnScaler.from_json(values["scaler"])
        return cls(scaler, rows, losses, hyper, _conditioned(rows, losses, hyper))


def _kernel(n_inputs: int) -> "Kernel":
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    n_scales = n_inputs if n_inputs <= _MAX_SCALES else 1
    scales = np.full(max(n_scales, 1), np.sqrt(max(n_inputs, 1)))
    return ConstantKernel(1.0, (1e-3, 1e3)) * Matern(scales, (0.3, 1e4), nu=2.5) + WhiteKernel(
        0.1, (1e-6, 2.0)
    )


def _conditioned(rows: FloatArray, losses: FloatArray, hyper: FloatArray) -> "Process":
    from sklearn.gaussian_process import GaussianProcessRegressor as Process

    kernel = _kernel(rows.shape[1]).clone_with_theta(hyper)
    return Process(kernel, optimizer=None).fit(rows, _warp(losses, losses))


def _logs(losses: FloatArray, training: FloatArray) -> FloatArray:
    floor = _FLOOR_SHARE * training.min()
    return np.asarray(np.log(losses - floor) if floor > 0 else losses)


def _spread(training: FloatArray) -> float:
    return float(_logs(training, training).std()) or 1.0


def _warp(losses: FloatArray, training: FloatArray) -> FloatArray:
    """Losses on the scale of the process: log losses, standardized by the training losses."""
    mean = _logs(training, training).mean()
    return np.asarray((_logs(losses, training) - mean) / _spread(training))


def _unwarp(values: FloatArray, training: FloatArray) -> FloatArray:
    """The inverse of `_warp`."""
    logs = values * _spread(training) + _logs(training, training).mean()
    floor = _FLOOR_SHARE * training.min()
    return np.asarray(floor + np.exp(logs) if floor > 0 else logs)
