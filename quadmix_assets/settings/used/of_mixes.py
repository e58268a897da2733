"""What the assets of a mix, and those over all mixes, use of the settings."""

from quadmix_assets import outputs
from quadmix_assets.settings.mixes import NamedMix
from quadmix_assets.settings.root import Settings
from quadmix_assets.settings.used import of_search, parts
from quadmix_assets.settings.used.parts import Used

# Options of mixes that no method has of its own.
_OF_EVERY_METHOD = frozenset(NamedMix.model_fields)


def own_optimal_params(settings: Settings, mix: NamedMix) -> Used:
    """What `optimal_params` of a mix uses."""
    limits = mix.constrained_by(settings.search.constraints)
    common = without(parts.search(settings), "search.constraints.", "search.objectives[")
    own = limits.model_dump(mode="json") if limits is not None else {}
    return (
        common | parts.leaves(f"mixes[{mix.name}].constraints", own) | objective_of(settings, mix)
    )


def climb_proxies(settings: Settings, mix: NamedMix) -> Used:
    """What `climb_proxies` uses."""
    options = mix.model_dump(mode="json", exclude={*_OF_EVERY_METHOD, "objective"})
    return (
        of_search.domain_proxies(settings)
        | parts.leaves(f"mixes[{mix.name}]", options)
        | objective_of(settings, mix)
        | parts.section(settings, "search", "n_threads")
        | seed_of(settings, mix)
    )


def objective_of(settings: Settings, mix: NamedMix) -> Used:
    """The objective that a mix minimises."""
    name = settings.objective_of(mix)
    found = {f"mixes[{mix.name}].objective": name}
    return found | {
        key: value
        for key, value in parts.objectives(settings).items()
        if not key.startswith("search.objectives[") or key.startswith(f"search.objectives[{name}]")
    }


def without(used: Used, *prefixes: str) -> Used:
    """Without the settings below some paths."""
    return {key: value for key, value in used.items() if not key.startswith(prefixes)}


def selection_rule(settings: Settings, mix: NamedMix) -> Used:
    """What `selection_rule` uses."""
    options = mix.model_dump(mode="json", exclude={"name", "follow", "export", "seed"})
    options["tokens"] = settings.tokens_of(mix)
    if "objective" in options:
        options["objective"] = settings.objective_of(mix)
    used = parts.leaves(f"mixes[{mix.name}]", options) | seed_of(settings, mix)
    if mix.uses_theta:
        used |= parts.section(settings, "mix", "max_breakpoints")
    if mix.criteria is None:
        used |= parts.criterion_names(settings)
    if outputs.DOMAIN_PROXIES in mix.fitted_on:
        # Which weightings are drawn and predicted, and by what they are compared.
        drawn = parts.section(settings, "proxies.domain_weights")
        del drawn["proxies.domain_weights.n"]
        used |= drawn | parts.section(settings, "search", "n_threads") | objective_of(settings, mix)
    if outputs.PROXY_METRICS in mix.fitted_on:
        used |= objective_of(settings, mix)
    return used | parts.domain_names(settings)


def final_mix(settings: Settings, mix: NamedMix) -> Used:
    """What `final_mix` uses."""
    return {f"mixes[{mix.name}].export": settings.export_of(mix)} | parts.all_names(settings)


def mix_manifest(settings: Settings, mix: NamedMix) -> Used:
    """What `mix_manifest` uses."""
    # It also holds a copy of all settings, for reading: those that take effect upstream make it
    # stale when what they affect has been made again.
    return parts.section(settings, "mix", "accept") | parts.names(settings) | seed_of(settings, mix)


def language_model(settings: Settings, mix: NamedMix) -> Used:
    """What `language_model` uses."""
    # One seed for all mixes, so that their models differ by their documents alone.
    return (
        parts.section(settings, "evidence", "budgets", "n_seeds", "engine")
        | parts.section(settings, "evidence.model")
        | parts.compiling(settings)
        | parts.seed(settings)
    )


def benchmark_results(settings: Settings, mix: NamedMix) -> Used:
    """What `benchmark_results` uses."""
    evidence = settings.evidence
    # The names say which sets there are; what is in them is upstream.
    held_out = [held_out.name for held_out in settings.held_out_sets]
    used = {"evidence.held_out[].name": held_out}
    for task in evidence.tasks:
        # The group that it counts in is read by comparisons alone.
        options = task.model_dump(mode="json", exclude={"name", "ability"})
        used |= parts.leaves(f"evidence.tasks[{task.name}]", options)
    if evidence.tasks:
        used |= parts.section(settings, "evidence", "max_questions")
    return (
        used
        | parts.section(settings, "evidence", "model", "budgets", "trigram")
        | parts.section(settings, "proxies", "max_target_tokens", "n_threads")
        | parts.target_names(settings)
        | parts.seed(settings)
    )


def seed_of(settings: Settings, mix: NamedMix) -> Used:
    """The seed of a mix."""
    return parts.seed(settings) if mix.seed is None else {f"mixes[{mix.name}].seed": mix.seed}


def mix_comparison(settings: Settings) -> Used:
    """What `mix_comparison` uses."""
    return {
        "mixes[].name": list(settings.mix_names),
        "production": settings.production_mix.name,
    }


def comparison_table(settings: Settings) -> Used:
    """What `comparison_table` uses."""
    evidence = settings.evidence
    used = mix_comparison(settings) | parts.objectives(settings) | parts.seed(settings)
    # Which regressors it is, is in the version of `regressor`.
    used |= parts.section(settings, "search", "held_out_share", "n_threads")
    used["evidence.held_out[].name"] = [each.name for each in evidence.held_out]
    used["evidence.tasks[].name"] = [task.name for task in evidence.tasks]
    used |= {f"evidence.tasks[{task.name}].ability": task.ability for task in evidence.tasks}
    for mix in settings.mixes:
        # Which options two mixes have different, and which have the size of their method.
        options = mix.model_dump(mode="json", exclude={"name", "follow", "export", "seed"})
        options["tokens"] = settings.tokens_of(mix)
        if "objective" in options:
            options["objective"] = settings.objective_of(mix)
        used |= parts.leaves(f"mixes[{mix.name}]", options) | seed_of(settings, mix)
    return used


def catalog(settings: Settings) -> Used:
    """What `catalog` uses."""
    # Its views describe every column.
    carried = parts.section(settings, "corpus", "carried_columns")
    scores = parts.all_names(settings) | parts.criteria(settings)
    # With the evidence on, it has views of models and comparison too.
    evidence = parts.section(settings, "evidence", "enabled")
    return scores | carried | evidence | parts.section(settings, "parameters", "scale_max")


def report(settings: Settings) -> Used:
    """What `report` uses."""
    used = mix_comparison(settings) | parts.names(settings) | parts.seed(settings)
    used |= parts.objectives(settings) | parts.section(settings, "mix", "accept")
    evidence = settings.evidence
    used["evidence.enabled"] = evidence.enabled
    if evidence.enabled:
        used |= parts.section(settings, "evidence", "budgets", "n_seeds")
        used["evidence.model.architecture"] = evidence.model.architecture
        used["evidence.held_out[].name"] = [each.name for each in evidence.held_out]
    return used
