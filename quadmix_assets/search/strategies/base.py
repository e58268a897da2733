"""The interface of all search strategies: the predictions they use, the result they return."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadmix_assets.sampling import Parameters
from quadmix_assets.sampling.validation import FloatArray, check_floats

TRACE_SCHEMA = {"n_evaluated": pl.Int64, "predicted": pl.Float64, "standard_deviation": pl.Float64}


class Prediction(NamedTuple):
    """Predicted objectives (n,), smaller is better, and the standard deviation of each (n,)."""

    mean: FloatArray
    standard_deviation: FloatArray


Predict = Callable[[Parameters], Prediction]


@dataclass(frozen=True, eq=False)
class SearchResult:
    """theta* and how it was found.

    Attributes:
        theta: one row, theta*.
        predicted: its predicted objective.
        standard_deviation: of that prediction.
        strategy: kind of the strategy that found it.
        members: the `top` best random thetas, whose mean is the paper's theta*, best first.
        members_predicted: (top,) their predicted objectives.
        mean_predicted: the predicted objective of their mean.
        drawn_predicted: (n_points,) float32, the predicted objectives of all random thetas.
        trace: the best prediction after so many thetas: columns of TRACE_SCHEMA.
    """

    theta: Parameters
    predicted: float
    standard_deviation: float
    strategy: str
    members: Parameters
    members_predicted: FloatArray
    mean_predicted: float
    drawn_predicted: NDArray[np.float32]
    trace: pl.DataFrame

    @property
    def mean_is_no_worse(self) -> bool:
        """Whether the mean is predicted to be at least as good as its members are on average.

        Where it is not, the members belong to several minima, and their mean to none of them.
        """
        return bool(self.mean_predicted <= self.members_predicted.mean())


def checked(predict: Predict, thetas: Parameters) -> Prediction:
    """The prediction for n thetas, checked.

    Raises:
        ValueError: a prediction is NaN, infinite, or of a wrong shape.
    """
    found = predict(thetas)
    shape = (len(thetas),)
    return Prediction(
        check_floats("predicted losses", found.mean, shape),
        check_floats("standard_deviations", found.standard_deviation, shape, minimum=0.0),
    )
