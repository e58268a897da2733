"""theta* that is searched for one mix alone, under constraints of its own."""

from typing import Any

from threadpoolctl import threadpool_limits

from quadmix_assets.outputs import OPTIMAL_PARAMS, mix_output
from quadmix_assets.sampling import Theta
from quadmix_assets.search.find import Optimum, find_optima
from quadmix_assets.search.fit import load_regressors, make_regressor_inputs
from quadmix_assets.search.noise import noise_of_objective, read_weighed
from quadmix_assets.search.optimum import read_searched, write_optimum
from quadmix_assets.search.space import make_space
from quadmix_assets.settings import Settings
from quadmix_assets.settings.mixes import NamedMix
from quadmix_assets.store import Store


def settings_of_search(settings: Settings, mix: NamedMix) -> Settings:
    """The settings with the objective and the constraints of a mix alone."""
    objective = settings.objective_of(mix)
    constraints = mix.constrained_by(settings.search.constraints)
    search = settings.search.model_copy(
        update={
            "objectives": tuple(one for one in settings.objectives if one.name == objective),
            "constraints": constraints or settings.search.constraints,
        }
    )
    return settings.model_copy(update={"search": search})


def search_for_mix(store: Store, settings: Settings, mix: str) -> Optimum:
    """Search theta* with the regressors that are there, and store it for a mix.

    Args:
        store: the lake.
        settings: of `settings_of_search`, or with another strategy or number of thetas.
        mix: its name.

    Raises:
        MissingOutputError: there are no regressors, or an input of them is gone.
        InfeasibleError: no theta satisfies the constraints.
    """
    with threadpool_limits(settings.search.n_threads):
        weighed, evidence, repeats = read_weighed(store, settings)
        space = make_space(store, weighed)
        found = find_optima(
            weighed,
            evidence,
            space,
            load_regressors(store, weighed),
            make_regressor_inputs(store, weighed),
        )
    ((name, optimum),) = found.items()
    noise = noise_of_objective(evidence, repeats, weighed.objectives[0])
    offset = noise.offset.value if noise is not None else 0.0
    write_optimum(
        store,
        weighed,
        name,
        optimum,
        [],
        asset=mix_output(mix, OPTIMAL_PARAMS),
        further={
            "theta": f"search of the mix ({optimum.result.strategy})",
            "predicted_for_other_seeds": optimum.result.predicted + offset,
            "measured": None,
            "measured_seeds": 0,
        },
    )
    return optimum


def read_own_optimum(
    store: Store, settings: Settings, mix: str, objective: str
) -> tuple[Theta, dict[str, Any]]:
    """theta* of a mix with its own search, and what was predicted for it; it was not measured.

    Raises:
        MissingOutputError: it has not been searched for.
        ValueError: that was done for other criteria or domains than the settings name now.
    """
    return read_searched(store, settings, mix_output(mix, OPTIMAL_PARAMS), objective)
