"""Searches for theta*: the paper's, and one that climbs from where the paper's ends."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadmix_assets.sampling import Parameters
from quadmix_assets.sampling.validation import FloatArray, check_floats
from quadmix_assets.search.space import ThetaSpace

TRACE_SCHEMA = {"n_evaluated": pl.Int64, "predicted": pl.Float64, "standard_deviation": pl.Float64}
_CHUNK = 5_000
# Where CMA-ES starts: a fifth of the width of every coordinate.
_SIGMA = 0.2


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


def random_top_mean(
    predict: Predict,
    space: ThetaSpace,
    *,
    n_points: int,
    top: int,
    seed: int,
    caution: float = 0.0,
) -> SearchResult:
    """The paper's search: theta* is the mean of the best `top` of `n_points` random thetas.

    Of equal predictions the earlier theta counts as better.

    Args:
        predict: thetas -> predicted objectives.
        space: what thetas are drawn from; all of them, and their mean, satisfy its constraints.
        n_points: thetas to predict.
        top: how many of the best are averaged, at most n_points.
        seed: of the thetas.
        caution: standard deviations that are added to predictions when thetas are compared; 0 in
            the paper.

    Raises:
        ValueError: `top` out of range, or a prediction that is NaN, infinite or of a wrong shape.
        InfeasibleError: a theta cannot satisfy the constraints.
    """
    if not 1 <= top <= n_points:
        raise ValueError(f"top is {top}; expected from 1 to n_points, which is {n_points}")
    predicted, standard_deviations = np.empty(n_points), np.empty(n_points)
    for start in range(0, n_points, _CHUNK):
        part = slice(start, min(start + _CHUNK, n_points))
        thetas = space.draw(part.stop - start, seed=seed, start=start)
        predicted[part], standard_deviations[part] = _checked(predict, thetas)
    measure = predicted + caution * standard_deviations
    best = np.argsort(measure, kind="stable")[:top]
    members = Parameters.concatenate([space.draw(1, seed=seed, start=int(i)) for i in best])
    theta = space.mean(members)
    mean = _checked(predict, theta)
    improved = np.flatnonzero(np.diff(np.minimum.accumulate(measure), prepend=np.inf) < 0)
    trace = pl.DataFrame(
        {
            "n_evaluated": np.append(improved + 1, n_points),
            "predicted": predicted[np.append(improved, improved[-1])],
            "standard_deviation": standard_deviations[np.append(improved, improved[-1])],
        },
        schema=TRACE_SCHEMA,
    )
    return SearchResult(
        theta=theta,
        predicted=float(mean.mean[0]),
        standard_deviation=float(mean.standard_deviation[0]),
        strategy="random_top_mean",
        members=members,
        members_predicted=predicted[best],
        mean_predicted=float(mean.mean[0]),
        drawn_predicted=predicted.astype(np.float32),
        trace=trace,
    )


def cma_es(
    predict: Predict, space: ThetaSpace, *, n_points: int, top: int, seed: int, caution: float
) -> SearchResult:
    """CMA-ES (Hansen 2016) from where a search like the paper's ends, over the unit cube of thetas.

    What is minimised is the prediction plus `caution` times its standard deviation, so that the
    search does not walk off into a region that no proxy ever saw, where a low prediction is worth
    little.
    theta* is whichever of its two results, the best point and the mean of its last distribution,
    and of the theta that it started from, is best by that measure.

    Arguments and errors as for `random_top_mean`; both stages evaluate `n_points` thetas.
    """
    # Imported here, because it sets up pyplot, which this package keeps its hands off.
    import cma

    first = random_top_mean(predict, space, n_points=n_points, top=top, seed=seed, caution=caution)

    def cautious(prediction: Prediction) -> FloatArray:
        return prediction.mean + caution * prediction.standard_deviation

    start = space.to_cube(first.theta)[0]
    options = {
        "bounds": [0.0, 1.0],
        "seed": seed % (2**31 - 2) + 1,  # 0 would take the clock
        "maxfevals": n_points,
        "verbose": -9,
    }
    strategy = cma.CMAEvolutionStrategy(start, _SIGMA, options)
    rows: list[tuple[int, float, float]] = []
    for points, prediction in _generations(strategy, predict, space, cautious):
        best = int(np.argmin(cautious(prediction)))
        if not rows or cautious(prediction)[best] < rows[-1][1] + caution * rows[-1][2]:
            n = n_points + int(strategy.countevals)
            rows.append(
                (n, float(prediction.mean[best]), float(prediction.standard_deviation[best]))
            )
            best_point = points[best]
    candidates = space.from_cube(np.stack([best_point, strategy.result.xfavorite]))
    predictions = [_checked(predict, first.theta), _checked(predict, candidates)]
    everything = Prediction(*(np.concatenate(parts) for parts in zip(*predictions, strict=True)))
    chosen = int(np.argmin(cautious(everything)))
    climbed = pl.DataFrame(rows, schema=TRACE_SCHEMA, orient="row")
    return SearchResult(
        theta=first.theta if chosen == 0 else candidates[[chosen - 1]],
        predicted=float(everything.mean[chosen]),
        standard_deviation=float(everything.standard_deviation[chosen]),
        strategy="cma_es",
        members=first.members,
        members_predicted=first.members_predicted,
        mean_predicted=first.mean_predicted,
        drawn_predicted=first.drawn_predicted,
        trace=pl.concat([first.trace, climbed]),
    )


def _generations(
    strategy: Any,
    predict: Predict,
    space: ThetaSpace,
    cautious: Callable[[Prediction], FloatArray],
) -> Iterator[tuple[FloatArray, Prediction]]:
    while not strategy.stop():
        points = np.stack(strategy.ask())
        prediction = _checked(predict, space.from_cube(points))
        strategy.tell(list(points), cautious(prediction).tolist())
        yield points, prediction


def _checked(predict: Predict, thetas: Parameters) -> Prediction:
    found = predict(thetas)
    shape = (len(thetas),)
    return Prediction(
        check_floats("predicted losses", found.mean, shape),
        check_floats("standard_deviations", found.standard_deviation, shape, minimum=0.0),
    )
