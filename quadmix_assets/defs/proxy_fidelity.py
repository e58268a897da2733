"""Group `search`: whether the order of the proxies carries over to a second scale."""

import dagster as dg

from quadmix_assets.corpus.target_sets import EVALUATED, PROOF
from quadmix_assets.defs.conditions import PINNED
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import Cost, clear_errors, readable_table, table_metadata
from quadmix_assets.defs.needs import TRAINS
from quadmix_assets.defs.progress import observe_progress
from quadmix_assets.defs.proxies import proxy_pool
from quadmix_assets.defs.refinement import GROUP
from quadmix_assets.defs.resources import OWNERS, ProjectResource, version_of
from quadmix_assets.defs.retries import RETRY_ONCE
from quadmix_assets.defs.search import regressor
from quadmix_assets.outputs import PROXY_FIDELITY
from quadmix_assets.search.fidelity import (
    fidelity_of,
    second_scale,
    table_of_fidelity,
    train_fidelity,
)
from quadmix_assets.store import MissingOutputError

_NOTHING = (
    "nothing was trained at a second scale, so that it is not known whether the order of the "
    "proxies carries over: set search.fidelity.n_thetas"
)


@dg.asset(
    group_name=GROUP,
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    code_version=version_of(PROXY_FIDELITY, 1),
    deps=[regressor, proxy_pool],
    automation_condition=PINNED,
    pool="training",
    op_tags=TRAINS,
    retry_policy=RETRY_ONCE,
)
@faults_in_words
def proxy_fidelity(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """Some thetas of the swarm trained at a second scale: larger models, more tokens.

    An addition to the paper, whose proxies are of one size. A few thetas, spread over the range of
    predictions, show whether the losses of the proxies order thetas as larger models do
    (`search.fidelity`). By default nothing is trained. A run that was killed goes on where it was.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError, ValueError):
        table = train_fidelity(store, settings, observe_progress(context))
        shown = {}
        for part in EVALUATED if table.height else ():
            objectives, targets = fidelity_of(store, settings, part)
            shown[f"order_on_{part}"] = readable_table(table_of_fidelity(objectives | targets))
    path = store.table_path(PROXY_FIDELITY)
    recipe = second_scale(settings).proxies.training
    return materialized(
        project,
        PROXY_FIDELITY,
        {
            **table_metadata(path, table.schema, table.height),
            "second_scale": f"{recipe.architecture}, {recipe.n_tokens_per_proxy:,} tokens each"
            if table.height
            else _NOTHING,
            "n_thetas": table["theta_id"].n_unique(),
            **shown,
            **cost.metadata(),
        },
        path=path,
    )


@dg.asset_check(asset=proxy_fidelity)
@faults_in_words
def proxies_order_carries_over(project: ProjectResource) -> dg.AssetCheckResult:
    """Whether proxies name the better of two thetas as models of the second scale do."""
    settings, store = project.settings, project.store
    objectives, targets = fidelity_of(store, settings, PROOF)
    poor = [name for name, found in (objectives | targets).items() if not found.carries_over]
    words = "; ".join(f"{name}: {found.in_words()}" for name, found in objectives.items())
    if not objectives:
        words = _NOTHING
    elif poor:
        words += (
            f". The order of the proxies does not carry over for {', '.join(poor)}: train larger "
            "proxies (proxies.training.architecture), or each of them longer "
            "(proxies.training.n_tokens_per_proxy)"
        )
    return dg.AssetCheckResult(
        passed=all(found.carries_over for found in objectives.values()),
        severity=dg.AssetCheckSeverity.WARN,
        description=words,
        metadata={f"right_{name}": found.accuracy.value for name, found in objectives.items()},
    )
