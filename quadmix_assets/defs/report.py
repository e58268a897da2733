"""Group `comparison`: the report, one HTML page."""

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from quadmix_assets.defs.conditions import with_any_of
from quadmix_assets.defs.failed_checks import failed_checks
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import Cost, clear_errors, figure
from quadmix_assets.defs.mix_comparison import mix_comparison
from quadmix_assets.defs.mix_names import mix_key
from quadmix_assets.defs.optimum_check import optimum_check
from quadmix_assets.defs.resources import OWNERS, SETTINGS, ProjectResource, version_of
from quadmix_assets.outputs import COMPARISON_TABLE, MIX_MANIFEST, REPORT
from quadmix_assets.page.plots import LOSSES_BY_BUDGET, plot_losses_by_budget
from quadmix_assets.page.report import losses_of_models, make_report, write_report
from quadmix_assets.store import MissingOutputError

_SHOWN = [
    mix_comparison.key,
    *(mix_key(mix, MIX_MANIFEST) for mix in SETTINGS.mixes),
    *([dg.AssetKey(COMPARISON_TABLE)] if SETTINGS.evidence.enabled else []),
]


@dg.asset(
    group_name="comparison",
    kinds={"html"},
    owners=OWNERS,
    code_version=version_of(REPORT, 1),
    deps=[*_SHOWN, optimum_check],
    automation_condition=with_any_of(_SHOWN, "what the report shows changed"),
)
@faults_in_words
def report(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """One HTML page to hand on: the comparison of the mixes, how theta* was found, the caveats.

    It loads nothing, so it opens from a file, and prints. It shows the figures of the assets, what
    the mix in production takes and leaves with random documents of each domain, its manifest in
    words, and every failed check of this instance. `quadmix report` opens it.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    plots = {}
    with clear_errors(MissingOutputError):
        losses = losses_of_models(store, settings)
        if not losses.is_empty():
            drawn = plot_losses_by_budget(losses, settings.production_mix.name)
            # Before the page, which takes it from the lake as it does the figures of other assets.
            plots[LOSSES_BY_BUDGET] = figure(store, REPORT, LOSSES_BY_BUDGET, drawn)
        failed = failed_checks(context.instance, _whole_graph())
        html = make_report(store, settings, failed)
        path = write_report(store, html)
    return materialized(
        project,
        REPORT,
        {
            "dagster/uri": str(path),
            "open": dg.MetadataValue.md(f"```sh\nquadmix --profile {settings.profile} report\n```"),
            "n_bytes": len(html.encode()),
            "n_failed_checks": len(failed),
            **plots,
            **cost.metadata(),
        },
        path=path,
    )


def _whole_graph() -> AssetGraph:
    """The graph of all assets: that of a run holds those alone that it makes."""
    # Imported late: the definitions import this module.
    from quadmix_assets.definitions import defs

    return defs().resolve_asset_graph()
