"""Which settings every asset uses itself, so that a change makes exactly those assets stale.

Only what can change the asset's contents counts: not where and how fast it is computed (devices,
processes, sizes of batches, checkpoints), nor what only checks, sensors and the UI read. What an
asset takes over from those upstream of it is in their versions.
"""

import json
from collections.abc import Callable, Iterable

from quadmix_assets import outputs
from quadmix_assets.hashing import hash_bytes
from quadmix_assets.settings.mixes import NamedMix
from quadmix_assets.settings.root import Settings
from quadmix_assets.settings.used import of_mixes, of_pool, of_search, parts
from quadmix_assets.settings.used.parts import Used


def settings_used(settings: Settings, asset: str) -> Used:
    """The settings that an asset uses itself, by path, such as `mix.max_breakpoints`.

    An entry of a list of named things is addressed by its name (`targets[openhermes].path`), and
    `[].name` is the list of all names. Values are JSON, and those that take effect: a default that
    follows from other settings is resolved. What the other settings make irrelevant is left out.

    Raises:
        KeyError: there is no asset of that name.
    """
    part = outputs.mix_of(asset)
    if part is None:
        return (_USED | _USED_LAST)[asset](settings)
    name, what = part
    return _USED_OF_A_MIX[what](settings, settings.mix_named(name))


def assets_with_settings(settings: Settings) -> tuple[str, ...]:
    """The names of all assets that are made, in the order of the graph."""
    left_out = {*_ONLY_FOR_MIXES} - {asset for mix in settings.mixes for asset in mix.fitted_on}
    if not settings.features.near_duplicates.enabled:
        left_out |= {outputs.DUPLICATE_SIGNATURES, outputs.NEAR_DUPLICATES}
    if not settings.held_out_sets:
        left_out.add(outputs.HELD_OUT_SETS)
    if not settings.evidence.enabled:
        left_out.add(outputs.COMPARISON_TABLE)
    common = [asset for asset in _USED if asset not in left_out]
    last = [asset for asset in _USED_LAST if asset not in left_out]
    return (*common, *assets_of_mixes(settings), *evidence_of_mixes(settings), *last)


def assets_of_mixes(settings: Settings, mixes: Iterable[NamedMix] | None = None) -> tuple[str, ...]:
    """The names of the assets that make mixes, mix by mix; None stands for all of the profile."""
    return tuple(
        outputs.mix_output(mix.name, what)
        for mix in (settings.mixes if mixes is None else mixes)
        for what in (*_own_assets(mix), *_OF_EVERY_MIX)
    )


def evidence_of_mixes(settings: Settings) -> tuple[str, ...]:
    """The names of the assets that measure finished mixes; none where that is not asked for."""
    if not settings.evidence.enabled:
        return ()
    return tuple(
        outputs.mix_output(mix.name, what) for mix in settings.mixes for what in _OF_EVIDENCE
    )


def _own_assets(mix: NamedMix) -> list[str]:
    """What a mix has besides rule, documents and manifest, because its rule is fitted on it."""
    parts = [outputs.mix_of(asset) for asset in mix.fitted_on]
    return [part[1] for part in parts if part is not None and part[0] == mix.name]


def settings_hash(settings: Settings, asset: str) -> str:
    """8 hexadecimal digits that change whenever `settings_used` does.

    Raises:
        KeyError: there is no asset of that name.
    """
    used = json.dumps(settings_used(settings, asset), sort_keys=True)
    return hash_bytes(used.encode())[:8]


def _together(parts: Iterable[Callable[[Settings], Used]]) -> Callable[[Settings], Used]:
    def used(settings: Settings) -> Used:
        found: Used = {}
        for part in parts:
            found |= part(settings)
        return found

    return used


_USED: dict[str, Callable[[Settings], Used]] = {
    outputs.PLANTED_CORPUS: of_pool.planted_corpus,
    outputs.INPUT_CHECK: _together(()),
    outputs.RAW_SHARDS: of_pool.raw_shards,
    outputs.REFERENCE_POOL: _together(()),
    outputs.TOKENIZER: of_pool.tokenizer,
    outputs.TARGET_SETS: of_pool.target_sets,
    outputs.HELD_OUT_SETS: of_pool.held_out_sets,
    outputs.TARGET_OVERLAP: parts.overlapping,
    outputs.FITTED_MODELS: of_pool.fitted_models,
    outputs.SCORED_SHARDS: of_pool.scored_shards,
    outputs.DOMAIN_LABELS: of_pool.domain_labels,
    outputs.DUPLICATE_SIGNATURES: of_pool.near_duplicates,
    outputs.NEAR_DUPLICATES: of_pool.near_duplicates,
    outputs.SCORED_REFERENCE_POOL: _together(()),
    outputs.SCORE_NORMALIZERS: of_pool.score_normalizers,
    outputs.SCORE_REPORT: parts.all_names,
    outputs.PROXY_POOL: of_search.proxy_pool,
    outputs.PARAMETER_SETS: of_search.parameter_sets,
    outputs.MERGED_RANKS: parts.names,
    outputs.SAMPLED_SUBSET: _together((parts.names, parts.seed)),
    outputs.PROXY_METRICS: _together((parts.recipe, parts.target_epochs, parts.seed)),
    outputs.PROXY_EVALUATION: _together((parts.recipe, parts.target_epochs, parts.seed)),
    outputs.PROXY_REPEATS: of_search.proxy_repeats,
    outputs.REGRESSOR: of_search.regressor,
    outputs.REFINEMENT: of_search.refinement,
    outputs.OPTIMAL_PARAMS: of_search.optimal_params,
    outputs.VERIFICATION: of_search.verification,
    outputs.PROXY_FIDELITY: of_search.proxy_fidelity,
    outputs.OPTIMUM_CHECK: of_search.optimum_check,
    outputs.DOMAIN_PROXIES: of_search.domain_proxies,
}
# Assets that are there only where a mix is fitted on them.
_ONLY_FOR_MIXES = (outputs.DOMAIN_PROXIES,)
_OF_EVERY_MIX = (outputs.SELECTION_RULE, outputs.FINAL_MIX, outputs.MIX_MANIFEST)
# Where the evidence is on.
_OF_EVIDENCE = (outputs.LANGUAGE_MODEL, outputs.BENCHMARK_RESULTS)
_USED_OF_A_MIX: dict[str, Callable[[Settings, NamedMix], Used]] = {
    outputs.OPTIMAL_PARAMS: of_mixes.own_optimal_params,
    outputs.CLIMB_PROXIES: of_mixes.climb_proxies,
    outputs.SELECTION_RULE: of_mixes.selection_rule,
    outputs.FINAL_MIX: of_mixes.final_mix,
    outputs.MIX_MANIFEST: of_mixes.mix_manifest,
    outputs.LANGUAGE_MODEL: of_mixes.language_model,
    outputs.BENCHMARK_RESULTS: of_mixes.benchmark_results,
}
# The assets after the mixes.
_USED_LAST: dict[str, Callable[[Settings], Used]] = {
    outputs.MIX_COMPARISON: of_mixes.mix_comparison,
    outputs.COMPARISON_TABLE: of_mixes.comparison_table,
    outputs.REPORT: of_mixes.report,
    outputs.CATALOG: of_mixes.catalog,
}
