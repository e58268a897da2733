"""theta* of an objective, as it is stored: the search writes candidates, verification chooses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from upath import UPath

from quadmix_assets.outputs import OPTIMAL_PARAMS, VERIFICATION
from quadmix_assets.sampling import Theta
from quadmix_assets.sampling.theta_json import theta_from_json, theta_to_json
from quadmix_assets.search.candidates import QUADMIX_PAPER, Candidate
from quadmix_assets.search.find import Optimum
from quadmix_assets.search.intervals import Mean
from quadmix_assets.search.objective import objective_named
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store


@dataclass(frozen=True, eq=False)
class Chosen:
    """A candidate with what was measured of it.

    Attributes:
        candidate: with its prediction, which carries the seed of the swarm.
        predicted: that prediction, corrected to other seeds where thetas have been repeated.
        measured: its objective over all seeds of the verification; without seeds if it was not
            measured.
    """

    candidate: Candidate
    predicted: float
    measured: Mean

    @property
    def optimism(self) -> float | None:
        """Predicted less measured: below 0 it was predicted better than it is; None unmeasured."""
        return self.predicted - self.measured.value if self.measured.seeds else None

    def to_json(self) -> dict[str, Any]:
        """The values that are stored; what is not finite is null."""
        mean = self.measured
        return {
            **self.candidate.to_json(),
            "predicted_for_other_seeds": self.predicted,
            "measured": mean.value if mean.seeds else None,
            "measured_low": mean.low if mean.seeds > 1 else None,
            "measured_high": mean.high if mean.seeds > 1 else None,
            "measured_seeds": mean.seeds,
            "optimism": self.optimism,
        }


def write_optimum(
    store: Store,
    settings: Settings,
    name: str,
    optimum: Optimum,
    candidates: list[Candidate],
    *,
    asset: str = OPTIMAL_PARAMS,
    further: Mapping[str, Any] | None = None,
) -> None:
    """Store what the search has found for the objective of that name, and the candidates.

    Args:
        store, settings: of the project.
        name: of the objective.
        optimum: what was found.
        candidates: for theta*; none where nothing is measured.
        asset: whose folder it is stored in.
        further: values to store with the prediction.
    """
    result = optimum.result
    store.write_json(
        _path(store, asset, name),
        {
            **_made_for(settings, name),
            "theta": theta_to_json(result.theta[0]),
            "prediction": {
                "unit": optimum.objective.unit,
                "predicted": result.predicted,
                "standard_deviation": result.standard_deviation,
                "strategy": result.strategy,
                "mean_of_best_predicted": result.mean_predicted,
                "mean_is_no_worse": result.mean_is_no_worse,
                "best_proxy_measured": float(optimum.measured.min()),
                "n_proxies": len(optimum.measured),
                **search_settings(settings),
                **(further or {}),
            },
            "candidates": [candidate.to_json() for candidate in candidates],
        },
    )


def search_settings(settings: Settings) -> dict[str, Any]:
    """What theta* is searched with: number of thetas, and the strategy with its options."""
    search = settings.search
    return {
        "n_points": search.n_points,
        "top": search.top,
        "strategy_settings": search.strategy.model_dump(mode="json"),
    }


def read_candidates(
    store: Store, settings: Settings, objective: str
) -> tuple[list[Candidate], dict[str, Any]]:
    """The candidates for theta* of an objective, and what the search predicted for its own.

    Raises:
        MissingOutputError: the search has not been done.
        ValueError: it was done for other criteria or domains than the settings name now.
    """
    stored = _read(store, settings, OPTIMAL_PARAMS, objective)
    return [Candidate.from_json(each) for each in stored["candidates"]], stored["prediction"]


def read_searched(
    store: Store, settings: Settings, asset: str, objective: str
) -> tuple[Theta, dict[str, Any]]:
    """What a search has found for an objective, and what it predicted.

    Raises:
        MissingOutputError: the search has not been done.
        ValueError: it was done for other criteria or domains than the settings name now.
    """
    stored = _read(store, settings, asset, objective)
    return theta_from_json(stored["theta"]), stored["prediction"]


def write_chosen(
    store: Store,
    settings: Settings,
    name: str,
    theta_star: Chosen,
    paper: Chosen,
    prediction: dict[str, Any],
) -> None:
    """Store theta* of the objective of that name, and the paper's theta beside it.

    Args:
        store, settings: of the project.
        name: of the objective.
        theta_star: what won.
        paper: the candidate QUADMIX_PAPER.
        prediction: as `read_candidates` gives it.
    """
    found = theta_star.to_json()
    store.write_json(
        _path(store, VERIFICATION, name),
        {
            **_made_for(settings, name),
            "theta": found.pop("theta"),
            "prediction": {**prediction, "candidate": found.pop("name"), **found},
            QUADMIX_PAPER: paper.to_json(),
        },
    )


def read_optimum(store: Store, settings: Settings, objective: str) -> tuple[Theta, dict[str, Any]]:
    """theta* of an objective, with what was predicted for it and measured of it.

    Raises:
        MissingOutputError: the candidates have not been verified.
        ValueError: that was done for other criteria or domains than the settings name now.
    """
    stored = _read(store, settings, VERIFICATION, objective)
    return theta_from_json(stored["theta"]), stored["prediction"]


def read_paper(store: Store, settings: Settings, objective: str) -> tuple[Theta, dict[str, Any]]:
    """The theta of the paper's search for an objective, with its prediction and measurement.

    Raises:
        MissingOutputError: the candidates have not been verified.
        ValueError: that was done for other criteria or domains than the settings name now.
    """
    stored = _read(store, settings, VERIFICATION, objective)
    paper = dict(stored[QUADMIX_PAPER])
    theta, name = theta_from_json(paper.pop("theta")), paper.pop("name")
    found = {**stored["prediction"], **paper, "theta": name}
    # It names the candidate that is theta*.
    found.pop("candidate")
    return theta, found


def previous_optima(store: Store, settings: Settings) -> dict[str, Theta]:
    """theta* that was chosen before, by objective; those for other criteria or domains left out."""
    found = {}
    for objective in settings.objectives:
        path = _path(store, VERIFICATION, objective.name)
        if path.exists():
            stored = store.read_json(path)
            made_for = _made_for(settings, objective.name)
            if all(stored[key] == made_for[key] for key in ("criteria", "domains")):
                found[objective.name] = theta_from_json(stored["theta"])
    return found


def _made_for(settings: Settings, objective: str) -> dict[str, Any]:
    return {
        "objective": objective,
        "targets": objective_named(settings.objectives, objective).targets,
        "criteria": list(settings.criterion_names),
        "domains": list(settings.domain_names),
    }


def _path(store: Store, asset: str, objective: str) -> UPath:
    return store.path(asset, f"{objective}.json")


def _read(store: Store, settings: Settings, asset: str, objective: str) -> dict[str, Any]:
    stored: dict[str, Any] = store.read_json(_path(store, asset, objective))
    now = {"criteria": list(settings.criterion_names), "domains": list(settings.domain_names)}
    for key, names in now.items():
        if stored[key] != names:
            raise ValueError(
                f"{asset} of {objective!r} was made for the {key} {stored[key]}, the settings name "
                f"{names}: materialise everything from scored_shards on again"
            )
    return stored
