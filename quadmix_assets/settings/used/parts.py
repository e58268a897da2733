"""Parts of the settings that several assets use, by path."""

from collections.abc import Mapping
from typing import Any

from quadmix_assets.settings.root import Settings

Used = dict[str, Any]


def leaves(path: str, value: Any) -> Used:
    """A nested mapping as a flat one, keys joined by dots."""
    if not isinstance(value, Mapping) or not value:
        return {path: value}
    found: Used = {}
    for key, inner in value.items():
        found |= leaves(f"{path}.{key}", inner)
    return found


def section(settings: Settings, path: str, *keys: str) -> Used:
    """The keys of a section of the settings; all of them if none is given."""
    section: Any = settings
    for part in path.split("."):
        section = getattr(section, part)
    values = section.model_dump(mode="json", include=set(keys) if keys else None)
    return leaves(path, values)


def seed(settings: Settings) -> Used:
    """The seed of the project."""
    return {"seed": settings.seed}


def criterion_names(settings: Settings) -> Used:
    """The criteria that theta weighs."""
    return {"features.criteria[].name": list(settings.criterion_names)}


def score_names(settings: Settings) -> Used:
    """All score columns."""
    return {"features.criteria[].name": list(settings.score_names)}


def domain_names(settings: Settings) -> Used:
    """The domains."""
    return {"features.domains.names": list(settings.domain_names)}


def names(settings: Settings) -> Used:
    """The criteria that theta weighs, and the domains."""
    return criterion_names(settings) | domain_names(settings)


def all_names(settings: Settings) -> Used:
    """All score columns, those that theta weighs, and the domains."""
    weighed = {"features.criteria[].weighed": list(settings.criterion_names)}
    return score_names(settings) | weighed | domain_names(settings)


def target_names(settings: Settings) -> Used:
    """The target sets."""
    return {"targets[].name": list(settings.target_names)}


def overlapping(settings: Settings) -> Used:
    """The sets that are searched for in the pool."""
    held_out = [held_out.name for held_out in settings.held_out_sets]
    found = target_names(settings)
    return found | {"evidence.held_out[].name": held_out} if held_out else found


def measures(settings: Settings) -> Used:
    """What of the proxies' losses is learned from, and minimised."""
    return {f"targets[{target.name}].measure": target.measure for target in settings.targets}


def criteria(settings: Settings) -> Used:
    """All options of all criteria."""
    found: Used = {}
    for criterion in settings.features.criteria:
        options = criterion.model_dump(mode="json", exclude={"name", "weighed"})
        found |= leaves(f"features.criteria[{criterion.name}]", options)
    return found


def domains(settings: Settings) -> Used:
    """All options of the domain classifier."""
    return section(settings, "features.domains")


def network(settings: Settings) -> Used:
    """How neural networks are run, as far as it changes what they say."""
    # The device and the tokens of a batch follow from the machine, also where they are set: memory
    # that runs out halves a batch.
    used = section(settings, "features.inference", "precision", "n_threads")
    if settings.features.inference.engine != "torch":
        used |= section(settings, "features.inference", "engine")
    return used


def objectives(settings: Settings) -> Used:
    """The objectives, and what of the losses they minimise."""
    found = measures(settings)
    for objective in settings.objectives:
        options = objective.model_dump(mode="json", exclude={"name"})
        found |= leaves(f"search.objectives[{objective.name}]", options)
    return found


def mix_objective(settings: Settings) -> Used:
    """The objective of the mix in production."""
    production = settings.production_mix
    return {f"mixes[{production.name}].objective": settings.objective_of(production)}


def recipe(settings: Settings) -> Used:
    """How a small language model is trained and evaluated."""
    return (
        section(settings, "proxies.training")
        | section(settings, "proxies", "max_target_tokens", "max_document_share", "n_threads")
        | target_names(settings)
        | compiling(settings)
    )


def compiling(settings: Settings) -> Used:
    """That training is compiled, where that is asked for: it changes the last digits."""
    return section(settings, "proxies", "compile") if settings.proxies.compile == "on" else {}


def target_epochs(settings: Settings) -> Used:
    """How often the final training repeats a mix."""
    return section(settings, "proxies", "target_epochs")


def prior(settings: Settings) -> Used:
    """The space that thetas are drawn from."""
    return section(settings, "parameters", "omega_max", "lambda_prior", "scale_max")


def constraints(settings: Settings) -> Used:
    """The constraints, as far as the search knows them."""
    used = section(settings, "search.constraints")
    if settings.search.constraints.mix_tokens is None:
        del used["search.constraints.budget"]
    elif settings.search.constraints.budget == "scaled":
        # Only the rules of mixes scale theta* to the budget.
        del used["search.constraints.mix_tokens"]
    return used


def regressor_inputs(settings: Settings) -> Used:
    """What regressors see of a theta."""
    used = section(settings, "search", "regressor_inputs") | names(settings)
    if settings.search.regressor_inputs == "theta":
        used |= section(settings, "parameters", "scale_max")
    return used


def search(settings: Settings) -> Used:
    """How theta* is searched for."""
    return (
        section(
            settings, "search", "strategy", "n_points", "top", "n_threads", "stay_within_evidence"
        )
        | objectives(settings)
        | constraints(settings)
        | prior(settings)
        | regressor_inputs(settings)
        | seed(settings)
    )


def fit(settings: Settings) -> Used:
    """How regressors are fitted."""
    return (
        section(settings, "search", "regressor", "n_threads", "reuse_proxies")
        | regressor_inputs(settings)
        | target_names(settings)
        | measures(settings)
        | seed(settings)
    )
