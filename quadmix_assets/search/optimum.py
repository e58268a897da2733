"""theta* of an objective, as it is stored: written by the search, read by all that use it."""

from typing import Any

from quadmix_assets.outputs import OPTIMAL_PARAMS
from quadmix_assets.sampling import Theta
from quadmix_assets.sampling.theta_json import theta_from_json, theta_to_json
from quadmix_assets.search.find import Optimum
from quadmix_assets.search.objective import objective_named
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store


def write_optimum(store: Store, settings: Settings, name: str, optimum: Optimum) -> None:
    """Store theta* of the objective of that name."""
    result = optimum.result
    store.write_json(
        store.path(OPTIMAL_PARAMS, f"{name}.json"),
        {
            "objective": name,
            "targets": objective_named(settings.objectives, name).targets,
            "criteria": list(settings.criterion_names),
            "domains": list(settings.domain_names),
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
            },
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


def read_optimum(store: Store, settings: Settings, objective: str) -> tuple[Theta, dict[str, Any]]:
    """theta* of an objective, and what was predicted for it.

    Raises:
        MissingOutputError: the search has not been done.
        ValueError: it was done for other criteria or domains than the settings name now.
    """
    stored = store.read_json(store.path(OPTIMAL_PARAMS, f"{objective}.json"))
    for key, now in (
        ("criteria", list(settings.criterion_names)),
        ("domains", list(settings.domain_names)),
    ):
        if stored[key] != now:
            raise ValueError(
                f"optimal_params of {objective!r} was searched for the {key} {stored[key]}, the "
                f"settings name {now}: materialise everything from scored_shards on again"
            )
    return theta_from_json(stored["theta"]), stored["prediction"]
