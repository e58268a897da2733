"""The noise of losses in the UI: tables and a figure on `regressor`, and a check."""

from typing import Any

import dagster as dg

from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.metadata import figure, readable_table
from quadmix_assets.defs.resources import ProjectResource
from quadmix_assets.outputs import REGRESSOR
from quadmix_assets.proxies.evidence import Evidence, read_evidence
from quadmix_assets.proxies.repeats import read_repeats
from quadmix_assets.search.noise import (
    LEAST_RELIABILITY,
    noise_of_objective,
    noise_of_targets,
    table_of_noise,
)
from quadmix_assets.search.noise_plots import plot_noise
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store


def noise_metadata(store: Store, settings: Settings, evidence: Evidence) -> dict[str, Any]:
    """What the repeats say of every target set and objective; a line where there are none."""
    repeats = read_repeats(store, settings)
    targets = noise_of_targets(evidence, repeats, settings.target_names)
    if not targets:
        return {
            "noise": dg.MetadataValue.md(
                "unknown: no thetas are trained again (`proxies.repeated_thetas`, `proxy_repeats`)"
            )
        }
    found = {
        wanted.name: noise_of_objective(evidence, repeats, wanted) for wanted in settings.objectives
    }
    objectives = {name: noise for name, noise in found.items() if noise is not None}
    return {
        "noise": readable_table(table_of_noise(targets)),
        "noise_of_objectives": readable_table(table_of_noise(objectives)),
        **{f"reliability_{name}": noise.reliability.value for name, noise in targets.items()},
        "noise_and_spread": figure(store, REGRESSOR, "noise", plot_noise(targets)),
    }


@dg.asset_check(asset=dg.AssetKey(REGRESSOR))
@faults_in_words
def targets_tell_thetas_apart(project: ProjectResource) -> dg.AssetCheckResult:
    """Whether differences between losses are more than noise, on every target set."""
    settings, store = project.settings, project.store
    noise = noise_of_targets(
        read_evidence(store, settings), read_repeats(store, settings), settings.target_names
    )
    if not noise:
        return dg.AssetCheckResult(
            passed=True,
            description="unknown: no thetas are trained again (proxies.repeated_thetas)",
        )
    unreliable = {name: found for name, found in noise.items() if not found.tells_thetas_apart}
    named = ", ".join(f"{name} ({found.reliability})" for name, found in unreliable.items())
    return dg.AssetCheckResult(
        passed=not unreliable,
        severity=dg.AssetCheckSeverity.WARN,
        description="on every target set the losses of thetas differ by more than noise"
        if not unreliable
        else f"of the variance between proxies less than {LEAST_RELIABILITY:.0%} is due to their "
        f"thetas on {named}: evaluate more tokens (proxies.max_target_tokens), train proxies "
        "longer (proxies.training.n_tokens_per_proxy), or weigh such target sets less "
        "(weigh_by_reliability of the objective)",
        metadata={f"reliability_{name}": found.reliability.value for name, found in noise.items()},
    )
