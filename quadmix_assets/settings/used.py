"""Which settings every asset uses itself, so that a change makes exactly those assets stale.

Only what can change the asset's contents counts: not where and how fast it is computed (devices,
processes, sizes of batches, checkpoints), nor what only checks, sensors and the UI read. What an
asset takes over from those upstream of it is in their versions.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from quadmix_assets import outputs
from quadmix_assets.hashing import hash_bytes
from quadmix_assets.settings.root import Settings

Used = dict[str, Any]


def settings_used(settings: Settings, asset: str) -> Used:
    """The settings that an asset uses itself, by path, such as `mix.max_breakpoints`.

    An entry of a list of named things is addressed by its name (`targets[openhermes].path`), and
    `[].name` is the list of all names. Values are JSON, and those that take effect: a default that
    follows from other settings is resolved. What the other settings make irrelevant is left out.

    Raises:
        KeyError: there is no asset of that name.
    """
    return _USED[asset](settings)


def settings_hash(settings: Settings, asset: str) -> str:
    """8 hexadecimal digits that change whenever `settings_used` does.

    Raises:
        KeyError: there is no asset of that name.
    """
    used = json.dumps(settings_used(settings, asset), sort_keys=True)
    return hash_bytes(used.encode())[:8]


def _leaves(path: str, value: Any) -> Used:
    """A nested mapping as a flat one, keys joined by dots."""
    if not isinstance(value, Mapping) or not value:
        return {path: value}
    found: Used = {}
    for key, inner in value.items():
        found |= _leaves(f"{path}.{key}", inner)
    return found


def _section(settings: Settings, path: str, *keys: str) -> Used:
    """The keys of a section of the settings; all of them if none is given."""
    section: Any = settings
    for part in path.split("."):
        section = getattr(section, part)
    values = section.model_dump(mode="json", include=set(keys) if keys else None)
    return _leaves(path, values)


def _seed(settings: Settings) -> Used:
    return {"seed": settings.seed}


def _criterion_names(settings: Settings) -> Used:
    return {"features.criteria[].name": list(settings.criterion_names)}


def _domain_names(settings: Settings) -> Used:
    return {"features.domains.names": list(settings.domain_names)}


def _names(settings: Settings) -> Used:
    return _criterion_names(settings) | _domain_names(settings)


def _target_names(settings: Settings) -> Used:
    return {"targets[].name": list(settings.target_names)}


def _measures(settings: Settings) -> Used:
    """What of the proxies' losses is learned from, and minimised."""
    return {f"targets[{target.name}].measure": target.measure for target in settings.targets}


def _criteria(settings: Settings) -> Used:
    found: Used = {}
    for criterion in settings.features.criteria:
        options = criterion.model_dump(mode="json", exclude={"name"})
        found |= _leaves(f"features.criteria[{criterion.name}]", options)
    return found


def _domains(settings: Settings) -> Used:
    return _section(settings, "features.domains")


def _network(settings: Settings) -> Used:
    # The device and the tokens of a batch follow from the machine, also where they are set: memory
    # that runs out halves a batch.
    return _section(settings, "features.inference", "precision", "n_threads")


def _objectives(settings: Settings) -> Used:
    found = _measures(settings)
    for objective in settings.objectives:
        options = objective.model_dump(mode="json", exclude={"name"})
        found |= _leaves(f"search.objectives[{objective.name}]", options)
    return found


def _mix_objective(settings: Settings) -> Used:
    return {"mix.objective": settings.mix_objective}


def _recipe(settings: Settings) -> Used:
    """How a small language model is trained and evaluated."""
    return (
        _section(settings, "proxies.training")
        | _section(settings, "proxies", "max_target_tokens", "max_document_share", "n_threads")
        | _target_names(settings)
    )


def _target_epochs(settings: Settings) -> Used:
    return _section(settings, "proxies", "target_epochs")


def _prior(settings: Settings) -> Used:
    return _section(settings, "parameters", "omega_max", "lambda_prior", "scale_max")


def _constraints(settings: Settings) -> Used:
    used = _section(settings, "search.constraints")
    if settings.search.constraints.mix_tokens is None:
        del used["search.constraints.budget"]
    elif settings.search.constraints.budget == "scaled":
        # rank_calibration alone scales theta* to the budget.
        del used["search.constraints.mix_tokens"]
    return used


def _regressor_inputs(settings: Settings) -> Used:
    used = _section(settings, "search", "regressor_inputs") | _names(settings)
    if settings.search.regressor_inputs == "theta":
        used |= _section(settings, "parameters", "scale_max")
    return used


def _search(settings: Settings) -> Used:
    return (
        _section(
            settings, "search", "strategy", "n_points", "top", "n_threads", "stay_within_evidence"
        )
        | _objectives(settings)
        | _constraints(settings)
        | _prior(settings)
        | _regressor_inputs(settings)
        | _seed(settings)
    )


def _fit(settings: Settings) -> Used:
    return (
        _section(settings, "search", "regressor", "n_threads", "reuse_proxies")
        | _regressor_inputs(settings)
        | _target_names(settings)
        | _measures(settings)
        | _seed(settings)
    )


def _planted_corpus(settings: Settings) -> Used:
    return _section(settings, "corpus.planted") | _seed(settings)


def _raw_shards(settings: Settings) -> Used:
    return {
        **_section(settings, "corpus", "text_column", "id_column", "source_column"),
        **_section(settings, "corpus", "carried_columns", "max_text_bytes"),
        # A shard without the column is refused if the profile names it, else given ids.
        "corpus.id_column is required": settings.corpus.names_id_column,
    }


def _tokenizer(settings: Settings) -> Used:
    if settings.tokenizer.source is not None:
        return _section(settings, "tokenizer", "source", "revision")
    return _section(settings, "tokenizer", "source", "vocab_size", "sample_bytes") | _seed(settings)


def _target_sets(settings: Settings) -> Used:
    used = _seed(settings)
    for target in settings.targets:
        unused = {"name", "measure"}
        if target.dataset is None:
            unused |= {"config", "split", "revision"}
        else:
            used["corpus.datasets"] = settings.corpus.datasets
        if target.template is not None or target.format is not None:
            unused.add("text_column")
        if target.path is None and target.dataset is None:
            used["corpus.source"] = settings.corpus.source
        options = target.model_dump(mode="json", exclude=unused)
        used |= _leaves(f"targets[{target.name}]", options)
    return used


def _fitted_models(settings: Settings) -> Used:
    used = _criteria(settings) | _domains(settings)
    domains = settings.features.domains
    examples = domains.labelled_examples
    models = (*settings.features.criteria, domains)
    if examples is not None or any(model.pool_sample_size for model in models):
        used |= _seed(settings)
    if examples is not None and examples.path is None:
        used["corpus.source"] = settings.corpus.source
    if domains.runs_network and domains.pool_sample_size:
        used |= _network(settings)
    return used


def _scored_shards(settings: Settings) -> Used:
    used = _criterion_names(settings) | _criteria(settings)
    if any(criterion.runs_network for criterion in settings.features.criteria):
        used |= _network(settings)
    return used


def _domain_labels(settings: Settings) -> Used:
    used = _domains(settings)
    return used | _network(settings) if settings.features.domains.runs_network else used


def _score_normalizers(settings: Settings) -> Used:
    used = _section(settings, "features.normalizer")
    if settings.features.normalizer.kind != "rank":
        del used["features.normalizer.max_breakpoints"]
    return used | _criterion_names(settings)


def _proxy_pool(settings: Settings) -> Used:
    return _section(settings, "proxies", "pool_tokens") | _names(settings) | _seed(settings)


def _parameter_sets(settings: Settings) -> Used:
    return (
        _section(settings, "parameters", "n")
        | _section(settings, "proxies", "batch_size")
        | _prior(settings)
        | _names(settings)
        | _seed(settings)
    )


def _refinement(settings: Settings) -> Used:
    # Rounds that are there already stay only while they were trained by the present recipe.
    rounds = _section(settings, "search.refine", "rounds")
    used = rounds | _recipe(settings) | _target_epochs(settings)
    used |= _names(settings) | _seed(settings)
    if settings.search.refine.rounds:
        used |= (
            _section(settings, "search.refine")
            | _section(settings, "parameters", "n")
            | _section(settings, "proxies", "batch_size")
            | _fit(settings)
            | _search(settings)
        )
    return used


def _proxy_repeats(settings: Settings) -> Used:
    if not settings.proxies.repeated_thetas:
        return _section(settings, "proxies", "repeated_thetas")
    return (
        _section(settings, "proxies", "repeated_thetas", "repeats")
        | _recipe(settings)
        | _target_epochs(settings)
        | _names(settings)
        | _seed(settings)
    )


def _regressor(settings: Settings) -> Used:
    compared = [other.model_dump(mode="json") for other in settings.search.compared]
    return {
        **_fit(settings),
        **_section(settings, "search", "held_out_share"),
        "search.compared": compared,
    }


def _optimal_params(settings: Settings) -> Used:
    return _search(settings) | _section(settings, "search.verify", "candidates")


def _verification(settings: Settings) -> Used:
    return (
        _section(settings, "search.verify")
        | _objectives(settings)
        | _recipe(settings)
        | _target_epochs(settings)
        | _criterion_names(settings)
        | _domain_names(settings)
        | _seed(settings)
    )


def _proxy_fidelity(settings: Settings) -> Used:
    used = _section(settings, "search.fidelity")
    if not settings.search.fidelity.n_thetas:
        return used
    return (
        used
        | _objectives(settings)
        | _mix_objective(settings)
        | _recipe(settings)
        | _target_epochs(settings)
        | _regressor_inputs(settings)
        | _seed(settings)
    )


def _optimum_check(settings: Settings) -> Used:
    return (
        _section(settings, "search", "check_seeds")
        | _objectives(settings)
        | _recipe(settings)
        | _target_epochs(settings)
        | _criterion_names(settings)
        | _seed(settings)
    )


def _rank_calibration(settings: Settings) -> Used:
    return (
        _section(settings, "mix", "max_breakpoints")
        | _section(settings, "search.constraints", "mix_tokens")
        | _mix_objective(settings)
        | _names(settings)
    )


def _final_mix(settings: Settings) -> Used:
    return _section(settings, "mix", "export") | _names(settings) | _seed(settings)


def _mix_manifest(settings: Settings) -> Used:
    # It also holds a copy of all settings, for reading: those that take effect upstream make it
    # stale when what they affect has been made again.
    return (
        _section(settings, "mix", "accept")
        | _mix_objective(settings)
        | _names(settings)
        | _seed(settings)
    )


def _random_comparison(settings: Settings) -> Used:
    training = settings.proxies.training
    used = _recipe(settings) | _section(settings, "comparison", "n_seeds") | _seed(settings)
    del used["proxies.training.n_tokens_per_proxy"]
    used["comparison.n_tokens"] = settings.comparison.n_tokens or training.n_tokens_per_proxy
    return used


def _catalog(settings: Settings) -> Used:
    # Its views describe every column.
    carried = _section(settings, "corpus", "carried_columns")
    return _names(settings) | carried | _section(settings, "parameters", "scale_max")


def _together(parts: Iterable[Callable[[Settings], Used]]) -> Callable[[Settings], Used]:
    def used(settings: Settings) -> Used:
        found: Used = {}
        for part in parts:
            found |= part(settings)
        return found

    return used


_USED: dict[str, Callable[[Settings], Used]] = {
    outputs.PLANTED_CORPUS: _planted_corpus,
    outputs.INPUT_CHECK: _together(()),
    outputs.RAW_SHARDS: _raw_shards,
    outputs.REFERENCE_POOL: _together(()),
    outputs.TOKENIZER: _tokenizer,
    outputs.TARGET_SETS: _target_sets,
    outputs.TARGET_OVERLAP: _target_names,
    outputs.FITTED_MODELS: _fitted_models,
    outputs.SCORED_SHARDS: _scored_shards,
    outputs.DOMAIN_LABELS: _domain_labels,
    outputs.SCORED_REFERENCE_POOL: _together(()),
    outputs.SCORE_NORMALIZERS: _score_normalizers,
    outputs.SCORE_REPORT: _names,
    outputs.PROXY_POOL: _proxy_pool,
    outputs.PARAMETER_SETS: _parameter_sets,
    outputs.MERGED_RANKS: _names,
    outputs.SAMPLED_SUBSET: _together((_names, _seed)),
    outputs.PROXY_METRICS: _together((_recipe, _target_epochs, _seed)),
    outputs.PROXY_EVALUATION: _together((_recipe, _target_epochs, _seed)),
    outputs.PROXY_REPEATS: _proxy_repeats,
    outputs.REGRESSOR: _regressor,
    outputs.REFINEMENT: _refinement,
    outputs.OPTIMAL_PARAMS: _optimal_params,
    outputs.VERIFICATION: _verification,
    outputs.PROXY_FIDELITY: _proxy_fidelity,
    outputs.OPTIMUM_CHECK: _optimum_check,
    outputs.RANK_CALIBRATION: _rank_calibration,
    outputs.FINAL_MIX: _final_mix,
    outputs.MIX_MANIFEST: _mix_manifest,
    outputs.RANDOM_COMPARISON: _random_comparison,
    outputs.CATALOG: _catalog,
}

ASSETS_WITH_SETTINGS = tuple(_USED)
"""The names of all assets that are made, in the order of the graph."""
