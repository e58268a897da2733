"""Group `features`: what the criteria prefer, for people to look at."""

import dagster as dg
import numpy as np
import polars as pl

from quadmix_assets.defs.features import domain_labels, score_normalizers, scored_shards
from quadmix_assets.defs.metadata import Cost, clear_errors, figure, markdown_table
from quadmix_assets.defs.partitions import shards_with
from quadmix_assets.defs.raw_shards import raw_shards
from quadmix_assets.defs.resources import OWNERS, ProjectResource
from quadmix_assets.features.normalize_pool import load_normalizers
from quadmix_assets.features.normalizers import rank_correlations
from quadmix_assets.features.report.directions import (
    Direction,
    describe_directions,
    directions,
    sample_of,
)
from quadmix_assets.features.report.domain_plots import (
    plot_domain_counts,
    plot_domain_criterion,
    plot_domain_shares,
)
from quadmix_assets.features.report.extremes import extreme_documents
from quadmix_assets.features.report.plots import (
    plot_confidence,
    plot_rank_correlation,
    plot_score_histograms,
)
from quadmix_assets.features.report.report import (
    TOP_SHARES,
    confidence_counts,
    domain_counts,
    mean_sigma,
    report_json,
    top_domain_shares,
)
from quadmix_assets.features.scored_documents import read_scored
from quadmix_assets.outputs import SCORE_REPORT, SCORED_SHARDS
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError

DIRECTIONS_ARE_PLAUSIBLE = "directions_are_plausible"

_Condition = dg.AutomationCondition

# Like ON_SHARDS, but a new shard has texts before it has scores: the report waits for those, and
# says nothing before the normalisers are there.
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
    code_version="1",
    deps=[raw_shards, scored_shards, domain_labels, score_normalizers],
    check_specs=[
        dg.AssetCheckSpec(
            DIRECTIONS_ARE_PLAUSIBLE,
            asset=SCORE_REPORT,
            description="Whether a criterion goes against the others, as one does whose best "
            "documents are really the worst.",
        )
    ],
    automation_condition=ON_SCORES,
)
def score_report(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """What each criterion prefers: its best and worst documents, its domains, its direction."""
    cost = Cost()
    settings, store = project.settings, project.store
    criteria, domains = settings.criterion_names, settings.domain_names
    shards = shards_with(context, SCORED_SHARDS)
    with clear_errors(MissingOutputError, ValueError):
        pool = read_scored(store, shards, criteria, domains)
        sigma = pool.sigma(load_normalizers(store, criteria))
        extremes = extreme_documents(store, shards, pool, criteria, domains)
        confidence = confidence_counts(store, shards)

    sample = pl.DataFrame(pool.scores[sample_of(pool)], schema=list(criteria), orient="row")
    correlations = rank_correlations(sample)
    found = directions(sample)
    counts = domain_counts(pool, domains)
    shares = {
        top: np.stack(
            [
                top_domain_shares(
                    pool.scores[:, n], pool.n_tokens, pool.domains, n_domains=len(domains), top=top
                )
                for n in range(len(criteria))
            ]
        )
        for top in TOP_SHARES
    }
    means = mean_sigma(sigma, pool.n_tokens, pool.domains, n_domains=len(domains))
    path = store.path(SCORE_REPORT, f"{SCORE_REPORT}.json")
    store.write_json(
        path, report_json(criteria, counts, correlations, found, shares, means, confidence)
    )

    scores = pl.DataFrame(pool.scores, schema=list(criteria), orient="row")
    n_tokens = counts["n_tokens"].to_numpy()
    figures = {
        "scores": plot_score_histograms(scores, criteria),
        "rank_correlation": plot_rank_correlation(correlations, criteria),
        "domains": plot_domain_counts(counts),
        "domain_shares_before_and_after": plot_domain_shares(domains, n_tokens, shares, criteria),
        "domain_by_criterion": plot_domain_criterion(means, domains, criteria),
        "confidence": plot_confidence(confidence, settings.features.domains.confidence_floor),
    }
    shown = {name: figure(store, SCORE_REPORT, name, fig) for name, fig in figures.items()}
    shown["rank_correlation"] = dg.MetadataValue.md(
        f"{shown['rank_correlation'].value}\n\n{markdown_table(correlations).value}"
    )
    return dg.MaterializeResult(
        metadata={
            "n_shards": len(shards),
            "n_documents": len(pool.ids),
            "n_tokens": int(pool.n_tokens.sum()),
            "directions": markdown_table(pl.DataFrame(found)),
            **shown,
            "documents_per_domain": markdown_table(counts),
            **{f"extremes_{name}": markdown_table(table) for name, table in extremes.items()},
            "dagster/uri": str(path),
            **cost.metadata(),
        },
        check_results=[_directions_are_plausible(found, settings)],
    )


def _directions_are_plausible(found: list[Direction], settings: Settings) -> dg.AssetCheckResult:
    plausible, description = describe_directions(found, settings.features.criteria)
    return dg.AssetCheckResult(
        check_name=DIRECTIONS_ARE_PLAUSIBLE,
        passed=plausible,
        severity=dg.AssetCheckSeverity.WARN,
        description=description,
        metadata={"directions": markdown_table(pl.DataFrame(found))},
    )
