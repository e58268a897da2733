"""The paper's search: the mean of the best of many random thetas."""

from typing import Literal

import numpy as np
import polars as pl

from quadmix_assets.sampling import Parameters
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets.search.strategies.base import TRACE_SCHEMA, Predict, SearchResult, checked
from quadmix_assets.settings.strategy import StrategySettings

_CHUNK = 5_000


class RandomTopMeanSettings(StrategySettings):
    """The mean of the best `top` of `n_points` random thetas, as in the paper."""

    kind: Literal["random_top_mean"] = "random_top_mean"

    def search(
        self,
        predict: Predict,
        space: ThetaSpace,
        *,
        n_points: int,
        top: int,
        seed: int,
        trained: Parameters | None = None,
    ) -> SearchResult:
        """As in `StrategySettings`."""
        return random_top_mean(predict, space, n_points=n_points, top=top, seed=seed)


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
        predicted[part], standard_deviations[part] = checked(predict, thetas)
    measure = predicted + caution * standard_deviations
    best = np.argsort(measure, kind="stable")[:top]
    members = Parameters.concatenate([space.draw(1, seed=seed, start=int(i)) for i in best])
    theta = space.mean(members)
    mean = checked(predict, theta)
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
