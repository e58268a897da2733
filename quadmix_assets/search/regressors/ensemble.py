"""An ensemble: the mean of different regressors, weighted by how well each predicts unseen rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from quadmix_assets.sampling.validation import FloatArray, IntArray
from quadmix_assets.search.regressors.base import Regressor, folds_of, others, training_part
from quadmix_assets.search.regressors.fitting import regressor_from_json
from quadmix_assets.search.regressors.registry import MEMBERS
from quadmix_assets.settings.regressor import RegressorSettings

Fit = Callable[[FloatArray, FloatArray], Regressor]
# Members with a smaller weight are left out: they cost time and hardly change the mean.
_LEAST_WEIGHT = 0.05


class EnsembleSettings(RegressorSettings):
    """A weighted mean of several regressors."""

    kind: Literal["ensemble"] = "ensemble"
    label: ClassVar[str] = "ensemble"
    members: tuple[Annotated[RegressorSettings, MEMBERS], ...] = Field(
        default=("lightgbm", "svr_rbf", "ridge_log", "gaussian_process"),
        validate_default=True,
        min_length=1,
        description="regressors that are averaged; those that cannot be fitted to the losses are "
        "left out; the default is four different methods, whose errors differ",
    )

    def fit(
        self, inputs: FloatArray, losses: FloatArray, *, seed: int, n_threads: int
    ) -> "EnsembleRegressor":
        """As in `RegressorSettings`."""
        fits = [
            partial(member.fit, seed=seed, n_threads=n_threads)
            for member in self.members
            if member.can_fit(losses)
        ]
        if not fits:
            raise ValueError(
                f"no member of the {self.title} can be fitted to these losses, the least of which "
                f"is {losses.min():.4g}: add one that can to its members"
            )
        return EnsembleRegressor.fit(fits, inputs, losses, seed=seed)

    @property
    def title(self) -> str:
        """As in `RegressorSettings`."""
        if self.members == EnsembleSettings().members:
            return self.label
        return f"{self.label} of {', '.join(member.title for member in self.members)}"

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "EnsembleRegressor":
        """As in `RegressorSettings`."""
        return EnsembleRegressor(
            tuple(regressor_from_json(member) for member in values["members"]),
            np.asarray(values["weights"]),
            values["training_mean"],
        )


@dataclass(frozen=True, eq=False)
class EnsembleRegressor:
    """A weighted mean of regressors; where they disagree, the standard deviation is large.

    Attributes:
        members: fitted to all rows.
        weights: (k,) theirs, which sum to 1.
        training_mean: mean loss of the training part, in nats.
        kind: of the settings that it was fitted by.
    """

    members: tuple[Regressor, ...]
    weights: FloatArray
    training_mean: float
    kind: str = "ensemble"

    @classmethod
    def fit(
        cls, fits: Sequence[Fit], inputs: ArrayLike, losses: ArrayLike, *, seed: int
    ) -> "EnsembleRegressor":
        """Fit every member, and the weights on predictions for rows that members were not fitted to
        (non-negative least squares; Breiman 1996, stacked regressions).

        Raises:
            ValueError: as in `training_part`.
        """
        matrix, target = training_part(inputs, losses)
        predicted = out_of_fold(fits, matrix, target, folds_of(len(target), seed))
        return cls.of(fits, stacked_weights(predicted, target), matrix, target)

    @classmethod
    def of(
        cls,
        fits: Sequence[Fit],
        weights: FloatArray,
        matrix: FloatArray,
        target: FloatArray,
        *,
        kind: str = "ensemble",
    ) -> "EnsembleRegressor":
        """Fit the members of weights (k,) above 0 to all rows."""
        chosen = np.flatnonzero(weights).tolist()
        members = tuple(fits[k](matrix, target) for k in chosen)
        return cls(members, weights[chosen], float(target.mean()), kind)

    def predict(self, inputs: ArrayLike) -> FloatArray:
        """As in `Regressor`."""
        parts = [w * m.predict(inputs) for w, m in zip(self.weights, self.members, strict=True)]
        return np.asarray(np.sum(parts, axis=0))

    def standard_deviation(self, inputs: ArrayLike) -> FloatArray:
        """As in `Regressor`: that of the mixture of the members' predictive distributions."""
        predicted = np.stack([member.predict(inputs) for member in self.members])
        own = np.stack([member.standard_deviation(inputs) for member in self.members])
        between = (predicted - self.weights @ predicted) ** 2
        return np.asarray(np.sqrt(self.weights @ (own**2 + between)))

    def to_json(self) -> dict[str, Any]:
        """As in `Regressor`."""
        return {
            "kind": self.kind,
            "weights": self.weights.tolist(),
            "training_mean": self.training_mean,
            "members": [member.to_json() for member in self.members],
        }


def out_of_fold(
    fits: Sequence[Fit], matrix: FloatArray, target: FloatArray, folds: Sequence[IntArray]
) -> FloatArray:
    """Predictions (n, k) of k regressors for rows of folds that they were not fitted to."""
    predicted = np.empty((len(target), len(fits)))
    for fold in folds:
        rest = others(len(target), fold)
        for k, fit in enumerate(fits):
            predicted[fold, k] = fit(matrix[rest], target[rest]).predict(matrix[fold])
    return predicted


def stacked_weights(predicted: FloatArray, target: FloatArray) -> FloatArray:
    """Non-negative weights (k,) of sum 1, by least squares on predictions (n, k) of losses (n,)."""
    # Imported here: settings are also read where nothing is fitted.
    from scipy.optimize import nnls

    mean = target.mean()
    weights, _ = nnls(predicted - mean, target - mean)
    if weights.sum() <= 0:
        weights = np.ones(predicted.shape[1])
    weights /= weights.sum()
    weights[weights < _LEAST_WEIGHT] = 0.0
    return np.asarray(weights / weights.sum())
