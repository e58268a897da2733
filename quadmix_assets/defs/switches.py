"""The switches of the Automation page: one sensor for each part of what happens without a click."""

import dagster as dg

from quadmix_assets.defs.resources import (
    AUTOMATION_ENABLED,
    BUILD_ENABLED,
    DISCOVERY_SECONDS,
    PLANTED,
)
from quadmix_assets.outputs import INPUT_CHECK, PER_SHARD, PLANTED_CORPUS


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
    *PER_SHARD,
    on=AUTOMATION_ENABLED,
    description="Normalizes, scores, labels and mixes new and changed shards, and no others.",
)
keep_reports = _switch(
    "keep_reports",
    "score_report",
    "mix_manifest",
    "catalog",
    on=AUTOMATION_ENABLED,
    checks=True,
    description="Makes the manifest, the reports and the checks of the whole pool again when "
    "shards have changed.",
)
fit_missing = _switch(
    "fit_missing",
    *([PLANTED_CORPUS] if PLANTED else []),
    "reference_pool",
    "tokenizer",
    "target_sets",
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
    on=BUILD_ENABLED,
    description="Trains the proxies that are missing, batch by batch; with many proxies for days.",
)
search_missing = _switch(
    "search_missing",
    "regressor",
    "optimal_params",
    "optimum_check",
    "rank_calibration",
    "random_comparison",
    on=BUILD_ENABLED,
    description="Fits regressors, searches theta*, measures it and calibrates the mix where that "
    "is missing. A theta* that is there stays.",
)
