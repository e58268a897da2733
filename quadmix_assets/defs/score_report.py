"""Group `features`: what each criterion prefers, in figures and tables."""

from collections.abc import Sequence

import dagster as dg
import polars as pl

from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.features import domain_labels, score_normalizers, scored_shards
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import Cost, clear_errors, figure, markdown_table
from quadmix_assets.defs.partitions import shards_with
from quadmix_assets.defs.raw_shards import raw_shards
from quadmix_assets.defs.resources import OWNERS, ProjectResource, version_of
from quadmix_assets.features.report.directions import Direction, describe_directions
from quadmix_assets.features.report.score_report import ScoreReport
from quadmix_assets.outputs import SCORE_REPORT, SCORED_SHARDS
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError

DIRECTIONS_ARE_PLAUSIBLE = "directions_are_plausible"

_Condition = dg.AutomationCondition

# Like ON_CHANGES, but a new shard has texts before it has scores: the report waits for the scores,
# and is not made before the normalizers.
ON_SCORES = (
    _Condition.any_deps_match(_Condition.newly_updated())
    .ignore(dg.AssetSelection.assets(raw_shards))
    .since_last_handled()
    & ~_Condition.any_deps_match(_Condition.missing()).allow(
        dg.AssetSelection.assets(score_normalizers)
    )
    & ~_Condition.any_deps_match(_Condition.will_be_requested())
    & ~_Condition.any_deps_in_progress()
    & ~_Condition.in_progress()
).with_label("its scores or domains changed")


@dg.asset(
    group_name="features",
    kinds={"json"},
    owners=OWNERS,
    code_version=version_of(SCORE_REPORT, 1),
    deps=[raw_shards, scored_shards, domain_labels, score_normalizers],
    check_specs=[
        dg.AssetCheckSpec(
            DIRECTIONS_ARE_PLAUSIBLE,
            asset=SCORE_REPORT,
            description="Whether all criteria agree in direction; one that goes against the others "
            "probably has its best and worst documents exchanged.",
        )
    ],
    automation_condition=ON_SCORES,
)
@faults_in_words
def score_report(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """What each criterion prefers: its best and worst documents, its domains, its direction.

    The domains of the best documents by each criterion are the paper's Figure 1. Read it before
    training the swarm: a criterion whose best documents look bad, or that goes against all others,
    has probably been turned upside down. Of pools of more than 200,000 documents, histograms,
    correlations and the domains of the best part are those of a sample.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    shards = shards_with(context, SCORED_SHARDS)
    with clear_errors(MissingOutputError, ValueError):
        report = ScoreReport.of(
            store,
            shards,
            settings.score_names,
            settings.domain_names,
            weighed=settings.criterion_names,
        )
    path = store.path(SCORE_REPORT, f"{SCORE_REPORT}.json")
    store.write_json(path, report.as_json())
    plots = report.plots(settings.features.domains.confidence_floor)
    shown = {name: figure(store, SCORE_REPORT, name, plot) for name, plot in plots.items()}
    shown["rank_correlation"] = dg.MetadataValue.md(
        f"{shown['rank_correlation'].value}\n\n{markdown_table(report.correlations).value}"
    )
    extremes = {f"extremes_{name}": markdown_table(t) for name, t in report.extremes.items()}
    return materialized(
        project,
        SCORE_REPORT,
        {
            "n_shards": len(shards),
            "n_documents": report.n_documents,
            "n_documents_sampled": report.scores.height,
            "n_tokens": int(report.counts["n_tokens"].sum()),
            "directions": markdown_table(pl.DataFrame(report.directions)),
            **shown,
            "documents_per_domain": markdown_table(report.counts),
            **extremes,
            "dagster/uri": str(path),
            **cost.metadata(n_documents=report.n_documents),
        },
        check_results=[_directions_are_plausible(report.directions, settings)],
        path=path,
    )


def _directions_are_plausible(
    found: Sequence[Direction], settings: Settings
) -> dg.AssetCheckResult:
    weighed = [criterion for criterion in settings.features.criteria if criterion.weighed]
    plausible, description = describe_directions(found, weighed)
    return dg.AssetCheckResult(
        check_name=DIRECTIONS_ARE_PLAUSIBLE,
        passed=plausible,
        severity=dg.AssetCheckSeverity.WARN,
        description=description,
        metadata={"directions": markdown_table(pl.DataFrame(found))},
    )
