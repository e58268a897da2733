"""What all searches share: what they are given, and what they find."""

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
        predicted: what is predicted for it.
        standard_deviation: how far off that may be, one standard deviation of the regressor.
        strategy: that found it.
        members: the thetas whose mean the paper's search takes, best first.
        members_predicted: (top,) predicted for them, ascending.
        mean_predicted: what is predicted for their mean.
        drawn_predicted: (n_points,) float32, predicted for all thetas that were drawn.
        trace: how the best prediction fell: columns of TRACE_SCHEMA.
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

        Where it is not, averaging has left the valley that the members lie in.
        """
        return bool(self.mean_predicted <= self.members_predicted.mean())


def checked(predict: Predict, thetas: Parameters) -> Prediction:
    """What is predicted for n thetas.

    Raises:
        ValueError: a prediction is NaN, infinite, or of a wrong shape.
    """
    found = predict(thetas)
    shape = (len(thetas),)
    return Prediction(
        check_floats("predicted losses", found.mean, shape),
        check_floats("standard_deviations", found.standard_deviation, shape, minimum=0.0),
    )
