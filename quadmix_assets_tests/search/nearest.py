"""A kind of regressor and a kind of search of somebody's own, a line of a registry away."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from quadmix_assets.sampling import Parameters
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets.search.strategies.base import TRACE_SCHEMA, Predict, SearchResult, checked
from quadmix_assets.settings import RegressorSettings, StrategySettings


class NearestSettings(RegressorSettings):
    """The mean loss of the nearest proxies."""

    kind: Literal["nearest"] = "nearest"
    label: ClassVar[str] = "nearest proxies"
    n_neighbours: int = 1

    def fit(
        self, inputs: FloatArray, losses: FloatArray, *, seed: int, n_threads: int
    ) -> "Nearest":
        return Nearest(inputs, losses, self.n_neighbours)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Nearest":
        rows = np.asarray(values["rows"])
        return Nearest(rows, np.asarray(values["losses"]), values["n_neighbours"])


@dataclass(frozen=True, eq=False)
class Nearest:
    rows: FloatArray
    losses: FloatArray
    n_neighbours: int
    kind: str = "nearest"

    @property
    def training_mean(self) -> float:
        return float(self.losses.mean())

    def predict(self, inputs: ArrayLike) -> FloatArray:
        distances = np.linalg.norm(np.asarray(inputs)[:, None] - self.rows, axis=2)
        near = np.argsort(distances, axis=1)[:, : self.n_neighbours]
        return np.asarray(self.losses[near].mean(axis=1))

    def standard_deviation(self, inputs: ArrayLike) -> FloatArray:
        return np.full(len(np.asarray(inputs)), float(self.losses.std()))

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "rows": self.rows.tolist(),
            "losses": self.losses.tolist(),
            "n_neighbours": self.n_neighbours,
        }


class FirstSettings(StrategySettings):
    """The first theta that is drawn."""

    kind: Literal["first"] = "first"

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
        theta = space.draw(1, seed=seed)
        mean, standard_deviation = checked(predict, theta)
        return SearchResult(
            theta=theta,
            predicted=float(mean[0]),
            standard_deviation=float(standard_deviation[0]),
            strategy=self.kind,
            members=theta,
            members_predicted=mean,
            mean_predicted=float(mean[0]),
            drawn_predicted=mean.astype(np.float32),
            trace=pl.DataFrame(schema=TRACE_SCHEMA),
        )
