"""The check that theta* lies where proxies were trained."""

import dagster as dg
from threadpoolctl import threadpool_limits

from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.resources import ProjectResource
from quadmix_assets.outputs import OPTIMAL_PARAMS
from quadmix_assets.proxies.evidence import read_evidence
from quadmix_assets.search.within_evidence import WHAT_TO_DO, outside_evidence


@dg.asset_check(asset=dg.AssetKey(OPTIMAL_PARAMS))
@faults_in_words
def theta_star_is_within_evidence(project: ProjectResource) -> dg.AssetCheckResult:
    """Whether theta* lies within the range of the trained thetas, in every regressor input."""
    settings, store = project.settings, project.store
    names = [objective.name for objective in settings.objectives]
    with threadpool_limits(settings.search.n_threads):
        words = outside_evidence(store, settings, read_evidence(store, settings), names)
    outside = {name: found for name, found in words.items() if found}
    return dg.AssetCheckResult(
        passed=not outside,
        severity=dg.AssetCheckSeverity.ERROR,
        description="theta* of every objective lies within the range of the trained thetas"
        if not outside
        else "; ".join(
            f"theta* of {name!r} lies outside the range of the trained thetas in {found}"
            for name, found in outside.items()
        )
        + f". {WHAT_TO_DO}",
    )
