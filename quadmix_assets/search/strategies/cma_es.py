"""CMA-ES, started from the result of the paper's search."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from pydantic import Field

from quadmix_assets.sampling import Parameters
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets.search.strategies.base import (
    TRACE_SCHEMA,
    Predict,
    Prediction,
    SearchResult,
    checked,
)
from quadmix_assets.search.strategies.random_top_mean import random_top_mean
from quadmix_assets.search.strategies.trust import TrustRegion
from quadmix_assets.settings.strategy import StrategySettings

# The standard deviation that CMA-ES starts with: a fifth of the width of every coordinate.
_SIGMA = 0.2
# What a radius outside the trust region costs, in standard deviations of predictions.
_OUTSIDE = 100.0


class CmaEsSettings(StrategySettings):
    """CMA-ES, started from the result of the paper's search."""

    kind: Literal["cma_es"] = "cma_es"
    caution: Annotated[float, Field(ge=0.0)] = Field(
        default=1.0,
        description="how many standard deviations of a prediction are added to it when thetas are "
        "compared; one keeps the search near the thetas that proxies were trained for",
    )
    trust: Annotated[float, Field(gt=0.0)] | None = Field(
        default=None,
        description="how far theta* may be from the nearest theta that was trained, as a multiple "
        "of the usual distance of trained thetas to their nearest; null: as far as the prior's "
        "bounds",
    )

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
        region = None
        if self.trust is not None and trained is not None:
            region = TrustRegion.of(trained, space, self.trust)
        return cma_es(
            predict,
            space,
            n_points=n_points,
            top=top,
            seed=seed,
            caution=self.caution,
            region=region,
        )


def cma_es(
    predict: Predict,
    space: ThetaSpace,
    *,
    n_points: int,
    top: int,
    seed: int,
    caution: float,
    region: TrustRegion | None = None,
) -> SearchResult:
    """CMA-ES (Hansen 2016) over the unit cube of thetas, started from the paper's search.

    It minimises the prediction plus `caution` times its standard deviation, which keeps the search
    near the thetas that proxies were trained for, where predictions are reliable. theta* is the
    best by that measure of three: the best point evaluated, the mean of the last distribution, and
    the start.

    Args:
        predict: thetas -> predicted objectives.
        space: the thetas to search; all of them satisfy its constraints.
        n_points: thetas to predict in each of the two stages.
        top: how many of the best random thetas are averaged for the start, at most n_points.
        seed: of the random thetas and of CMA-ES.
        caution: standard deviations that are added to predictions when thetas are compared.
        region: points outside are worse the farther they lie; None is the whole cube.

    Raises:
        ValueError: `top` out of range, or a prediction that is NaN, infinite or of a wrong shape.
        InfeasibleError: a theta cannot satisfy the constraints.
    """
    # Imported here: the import configures pyplot, which other processes do not need.
    import cma

    first = random_top_mean(predict, space, n_points=n_points, top=top, seed=seed, caution=caution)

    outside_costs = _OUTSIDE * float(first.drawn_predicted.std())

    def measure(thetas: Parameters, prediction: Prediction) -> FloatArray:
        cautious = prediction.mean + caution * prediction.standard_deviation
        if region is None:
            return cautious
        # Different points can be the same theta: distances are between the inverse images.
        return cautious + outside_costs * region.excess(space.to_cube(thetas))

    start = space.to_cube(first.theta)[0]
    options = {
        "bounds": [0.0, 1.0],
        "seed": seed % (2**31 - 2) + 1,  # 0 would seed from the clock
        "maxfevals": n_points,
        "verbose": -9,
    }
    strategy = cma.CMAEvolutionStrategy(start, _SIGMA, options)
    rows: list[tuple[int, float, float]] = []
    least = np.inf
    for points, prediction, measured in _generations(strategy, predict, space, measure):
        best = int(np.argmin(measured))
        if measured[best] < least:
            least = measured[best]
            n = n_points + int(strategy.countevals)
            rows.append(
                (n, float(prediction.mean[best]), float(prediction.standard_deviation[best]))
            )
            best_point = points[best]
    candidates = space.from_cube(np.stack([best_point, strategy.result.xfavorite]))
    predictions = [checked(predict, first.theta), checked(predict, candidates)]
    everything = Prediction(*(np.concatenate(parts) for parts in zip(*predictions, strict=True)))
    thetas = Parameters.concatenate([first.theta, candidates])
    chosen = int(np.argmin(measure(thetas, everything)))
    cma_trace = pl.DataFrame(rows, schema=TRACE_SCHEMA, orient="row")
    return SearchResult(
        theta=thetas[[chosen]],
        predicted=float(everything.mean[chosen]),
        standard_deviation=float(everything.standard_deviation[chosen]),
        strategy="cma_es",
        members=first.members,
        members_predicted=first.members_predicted,
        mean_predicted=first.mean_predicted,
        drawn_predicted=first.drawn_predicted,
        trace=pl.concat([first.trace, cma_trace]),
    )


def _generations(
    strategy: Any,
    predict: Predict,
    space: ThetaSpace,
    measure: Callable[[Parameters, Prediction], FloatArray],
) -> Iterator[tuple[FloatArray, Prediction, FloatArray]]:
    while not strategy.stop():
        points = np.stack(strategy.ask())
        thetas = space.from_cube(points)
        prediction = checked(predict, thetas)
        measured = measure(thetas, prediction)
        strategy.tell(list(points), measured.tolist())
        yield points, prediction, measured
