"""Candidates for theta* of an objective: what several ways to choose a theta would choose.

No way to choose is best on every swarm, and all of them are judged by the same noisy predictions.
So each names its choice, and `verification` measures them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from quadmix_assets.sampling import Parameters, Theta
from quadmix_assets.sampling.theta_json import theta_from_json, theta_to_json
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.regressors.fitting import regressor_settings
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets.search.strategies.base import Predict, SearchResult, checked
from quadmix_assets.search.strategies.cma_es import CmaEsSettings
from quadmix_assets.search.strategies.random_top_mean import RandomTopMeanSettings
from quadmix_assets.settings import Settings
from quadmix_assets.settings.strategy import StrategySettings

QUADMIX_PAPER = "quadmix_paper"
PREVIOUS = "previous theta*"
SEARCHED = "search"
_CAUTIONS = (0.0, 1.0, 2.0)
_MEANS_OF = (5, 10)
# Thetas that the searches beside the configured one predict in each of their stages.
_N_POINTS = 20_000
# Thetas nearer to each other than this, per coordinate of the cube, are one candidate.
_SAME = 1e-6


@dataclass(frozen=True, eq=False)
class Candidate:
    """A theta that may become theta*.

    Attributes:
        name: how it was chosen.
        theta: feasible.
        predicted: its predicted objective.
        standard_deviation: of that prediction.
        is_within_evidence: whether it lies in the range of the trained thetas, or may lie anywhere.
    """

    name: str
    theta: Theta
    predicted: float
    standard_deviation: float
    is_within_evidence: bool

    def to_json(self) -> dict[str, Any]:
        """The candidate as values that JSON can hold."""
        return {
            "name": self.name,
            "theta": theta_to_json(self.theta),
            "predicted": self.predicted,
            "standard_deviation": self.standard_deviation,
            "is_within_evidence": self.is_within_evidence,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Candidate":
        """The inverse of `to_json`."""
        return cls(
            values["name"],
            theta_from_json(values["theta"]),
            values["predicted"],
            values["standard_deviation"],
            values["is_within_evidence"],
        )


class IsWithin(Protocol):
    """Thetas -> whether each lies in the range of the trained thetas."""

    def __call__(self, thetas: Parameters) -> NDArray[np.bool_]:
        """One truth value (n,) per theta."""


@dataclass(frozen=True, eq=False)
class Swarm:
    """The trained thetas of an objective.

    Attributes:
        theta_ids: (n,) their numbers.
        parameters: the n thetas.
        measured: (n,) their measured objective.
    """

    theta_ids: Sequence[int]
    parameters: Parameters
    measured: FloatArray


def make_candidates(
    found: SearchResult,
    paper: SearchResult,
    swarm: Swarm,
    predict: Predict,
    cautious: Predict,
    space: ThetaSpace,
    strategy: StrategySettings,
    *,
    is_within: IsWithin,
    n: int,
    n_points: int,
    top: int,
    seed: int,
    previous: Theta | None = None,
) -> list[Candidate]:
    """n distinct feasible thetas for one objective, or as many as there are.

    First comes what the configured search has found, then the paper's; these two are always there.
    CMA-ES at several cautions and means of the best measured thetas follow. The rest are
    trained thetas: one in four the best by their measured objective, the others by the prediction,
    which smooths the noise of single proxies. The previous theta* takes the place of the last one,
    unless it is among them: so a search that finds the same thetas again names the same candidates.
    But for the first two no candidate lies outside the range of the trained thetas.

    Args:
        found: by the configured strategy and regressors.
        paper: by LightGBM and the mean of the best random thetas.
        swarm: the trained thetas with their measured objective.
        predict: thetas -> predicted objectives, by the configured regressors.
        cautious: the same with what the search adds for thetas outside the evidence.
        space: of feasible thetas.
        strategy: the configured one; CMA-ES keeps its options but for the caution, so also how far
            it may go from the trained thetas.
        is_within: whether thetas lie in the range of the trained ones.
        n: how many candidates.
        n_points: thetas that a search predicts, in each stage.
        top: how many random thetas with the best predictions are averaged.
        seed: of the searches.
        previous: the theta* that verification chose before.

    Raises:
        InfeasibleError: a theta cannot satisfy the constraints.
        ValueError: a prediction is NaN, infinite or of a wrong shape.
    """
    chosen = _Distinct(space, predict, is_within)
    if np.array_equal(space.to_cube(found.theta), space.to_cube(paper.theta)):
        chosen.add(QUADMIX_PAPER, paper.theta, anywhere=True)
    else:
        chosen.add(f"{SEARCHED} ({found.strategy})", found.theta, anywhere=True)
        chosen.add(QUADMIX_PAPER, paper.theta, anywhere=True)
    points = min(n_points, _N_POINTS)
    cma_es = strategy if isinstance(strategy, CmaEsSettings) else CmaEsSettings()
    for caution in _CAUTIONS:
        if len(chosen.candidates) < n:
            result = cma_es.model_copy(update={"caution": caution}).search(
                cautious,
                space,
                n_points=points,
                top=min(top, points),
                seed=seed,
                trained=swarm.parameters,
            )
            chosen.add(f"CMA-ES, caution {caution:g}", result.theta)
    by_measurement = np.argsort(swarm.measured, kind="stable")
    for size in _MEANS_OF:
        if size < len(by_measurement) and len(chosen.candidates) < n:
            best = swarm.parameters[by_measurement[:size]]
            chosen.add(f"mean of the {size} best measured", space.mean(best))
    feasible = space.feasible(swarm.parameters)
    smoothed = np.argsort(checked(predict, feasible).mean, kind="stable")
    for row, how in _alternating(by_measurement, smoothed):
        if len(chosen.candidates) >= n:
            break
        chosen.add(f"theta {swarm.theta_ids[row]}, best {how}", feasible[[row]])
    if previous is not None and n > 2:
        chosen.replace_last(PREVIOUS, space.feasible(Parameters.stack([previous])), n)
    return chosen.candidates


def paper_of(settings: Settings) -> Settings:
    """The settings with the paper's search: LightGBM, and the mean of the best thetas anywhere."""
    search = settings.search.model_copy(
        update={
            "regressor": regressor_settings("lightgbm"),
            "strategy": RandomTopMeanSettings(),
            "stay_within_evidence": False,
        }
    )
    return settings.model_copy(update={"search": search})


def _alternating(measured: np.ndarray, smoothed: np.ndarray) -> Iterator[tuple[int, str]]:
    """Rows of trained thetas: one by its measurement, then three by their predictions."""
    by_prediction = iter(smoothed)
    for row in measured:
        yield int(row), "measured"
        for _ in range(3):
            following = next(by_prediction, None)
            if following is not None:
                yield int(following), "by smoothed prediction"


class _Distinct:
    """Candidates, of which no two are the same theta."""

    def __init__(self, space: ThetaSpace, predict: Predict, is_within: IsWithin) -> None:
        self.candidates: list[Candidate] = []
        self._points: list[FloatArray] = []
        self._space, self._predict, self._is_within = space, predict, is_within

    def add(self, name: str, theta: Parameters, *, anywhere: bool = False) -> bool:
        """Add a theta of one row, unless it is there already; return whether it was added.

        A theta outside the range of the trained ones is added only if it may lie `anywhere`.
        """
        is_within = bool(self._is_within(theta)[0])
        if not (is_within or anywhere):
            return False
        # The cube is clipped where a feasible neighbour lies beyond it, so it alone does not tell.
        point = np.concatenate([self._space.to_cube(theta)[0], theta.omega[0], theta.scale[0]])
        if any(np.abs(point - other).max() < _SAME for other in self._points):
            return False
        prediction = checked(self._predict, theta)
        self._points.append(point)
        self.candidates.append(
            Candidate(
                name,
                theta[0],
                float(prediction.mean[0]),
                float(prediction.standard_deviation[0]),
                is_within,
            )
        )
        return True

    def replace_last(self, name: str, theta: Parameters, n: int) -> None:
        """Add a theta; of more than n candidates it takes the place of the last one before it."""
        if self.add(name, theta) and len(self.candidates) > n:
            del self.candidates[-2], self._points[-2]
