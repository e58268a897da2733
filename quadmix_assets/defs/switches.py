"""The switches of the Automation page: one sensor for each part of what happens without a click."""

import dagster as dg

from quadmix_assets.defs.resources import (
    AUTOMATION_ENABLED,
    BUILD_ENABLED,
    DISCOVERY_SECONDS,
    DUPLICATES,
    HELD_OUT,
    PLANTED,
    SETTINGS,
    SHARD_ASSETS,
)
from quadmix_assets.outputs import (
    COMPARISON_TABLE,
    DOMAIN_PROXIES,
    FINAL_MIX,
    INPUT_CHECK,
    MIX_COMPARISON,
    MIX_MANIFEST,
    PLANTED_CORPUS,
    REPORT,
    mix_output,
)
from quadmix_assets.settings import assets_of_mixes, evidence_of_mixes

_FOLLOWED = [mix for mix in SETTINGS.mixes if SETTINGS.is_followed(mix)]
_FOLLOWED_TRAIN = any(DOMAIN_PROXIES in mix.fitted_on for mix in _FOLLOWED)


def _switch(
    name: str, *assets: str, on: bool, checks: bool = False, description: str
) -> dg.AutomationConditionSensorDefinition:
    target: dg.AssetSelection = dg.AssetSelection.assets(*assets)
    if checks:
        # Checks with a condition of their own follow the shards, whichever asset they belong to.
        target = target | dg.AssetSelection.all_asset_checks()
    else:
        target = target - dg.AssetSelection.all_asset_checks()
    return dg.AutomationConditionSensorDefinition(
        name,
        target=target,
        default_status=dg.DefaultSensorStatus.RUNNING if on else dg.DefaultSensorStatus.STOPPED,
        minimum_interval_seconds=DISCOVERY_SECONDS,
        description=description,
    )


follow_shards = _switch(
    "follow_shards",
    *([] if PLANTED else [INPUT_CHECK]),
    *SHARD_ASSETS,
    *(mix_output(mix.name, FINAL_MIX) for mix in _FOLLOWED),
    on=AUTOMATION_ENABLED,
    description="Normalizes, scores and labels new and changed shards, and no others, and "
    "mixes them for the mixes that are followed.",
)
keep_reports = _switch(
    "keep_reports",
    "score_report",
    *DUPLICATES,
    *(mix_output(mix.name, MIX_MANIFEST) for mix in SETTINGS.mixes),
    MIX_COMPARISON,
    *([COMPARISON_TABLE] if SETTINGS.evidence.enabled else []),
    REPORT,
    "catalog",
    on=AUTOMATION_ENABLED,
    checks=True,
    description="Makes the manifests, the reports and the checks of the whole pool again when "
    "shards have changed.",
)
fit_missing = _switch(
    "fit_missing",
    *([PLANTED_CORPUS] if PLANTED else []),
    "reference_pool",
    "tokenizer",
    "target_sets",
    *HELD_OUT,
    "fitted_models",
    "scored_reference_pool",
    "score_normalizers",
    on=BUILD_ENABLED,
    description="Makes tokenizer, target sets, models and normalizers where they are missing. "
    "What is there stays as it is.",
)
train_missing = _switch(
    "train_missing",
    "proxy_pool",
    "parameter_sets",
    "merged_ranks",
    "sampled_subset",
    "proxy_metrics",
    "proxy_evaluation",
    "proxy_repeats",
    "refinement",
    *([DOMAIN_PROXIES] if _FOLLOWED_TRAIN else []),
    on=BUILD_ENABLED,
    description="Trains the proxies that are missing, batch by batch; with many proxies for days.",
)
search_missing = _switch(
    "search_missing",
    "regressor",
    "optimal_params",
    "verification",
    "optimum_check",
    "proxy_fidelity",
    *(
        asset
        for asset in assets_of_mixes(SETTINGS, _FOLLOWED)
        if not asset.endswith((FINAL_MIX, MIX_MANIFEST))
    ),
    *evidence_of_mixes(SETTINGS),
    on=BUILD_ENABLED,
    description="Fits regressors, searches theta*, measures candidates for it and fits the rules "
    "of the mixes that are followed, where that is missing. A theta* that is there stays. Where "
    "the settings ask for it, trains language models on mixes that are finished.",
)
