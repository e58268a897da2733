"""The interface of all regressors, and the checks of their input and the folds that they share."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadmix_assets.sampling.validation import FloatArray, check_floats

MIN_ROWS = 10
N_FOLDS = 5


class Regressor(Protocol):
    """Predicts the loss of a theta's proxy from its regressor inputs.

    F is the number of regressor inputs; the training part are the rows that it was fitted to.
    """

    @property
    def kind(self) -> str:
        """The name of its kind in the settings."""

    @property
    def training_mean(self) -> float:
        """Mean loss of the rows it was fitted to, in nats: the constant baseline."""

    def predict(self, inputs: ArrayLike) -> FloatArray:
        """Predicted losses (n,) in nats of inputs (n, F).

        Raises:
            ValueError: another number of columns than F, or a value is NaN or infinite.
        """

    def standard_deviation(self, inputs: ArrayLike) -> FloatArray:
        """Standard deviation (n,) of each prediction, in nats.

        It is that of the expected loss of a theta, without the noise of a single training.

        Raises:
            ValueError: as `predict`.
        """

    def to_json(self) -> dict[str, Any]:
        """As JSON, for a file; float64 is kept exactly. The key `kind` names the kind."""


@runtime_checkable
class ExplainsInputs(Protocol):
    """A regressor that measures the importance of its inputs."""

    def input_importance(self) -> FloatArray:
        """Share of the explained variance that is due to each input, (F,); the sum is 1."""


def training_part(
    inputs: ArrayLike, losses: ArrayLike, *, least: int = N_FOLDS
) -> tuple[FloatArray, FloatArray]:
    """Regressor inputs (n, F) and losses (n,) to fit to, checked.

    Raises:
        ValueError: fewer than `least` rows, shapes that disagree, or a value that is NaN or
            infinite.
    """
    target = check_floats("losses", losses, (None,))
    matrix = check_floats("inputs", inputs, (len(target), None))
    if len(target) < least:
        raise ValueError(
            f"{len(target)} rows to fit a regressor to; expected at least {least}: "
            "train more proxies first"
        )
    return matrix, target


def folds_of(n: int, seed: int, n_folds: int = N_FOLDS) -> list[NDArray[np.int64]]:
    """Rows of each fold, ascending; together they are all n rows."""
    shuffled = np.random.default_rng(seed).permutation(n)
    return [np.sort(fold) for fold in np.array_split(shuffled, n_folds)]


def others(n: int, fold: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows that are not in a fold, ascending."""
    return np.setdiff1d(np.arange(n), fold)
