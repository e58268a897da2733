"""Group `features`: fitted models, scores, domains, normalizers."""

import dagster as dg
import polars as pl

from quadmix_assets.corpus.reference_pool import read_reference_pool
from quadmix_assets.corpus.token_encoder import TokenEncoder
from quadmix_assets.corpus.tokenizer import project_tokenizer, tokenizer_path
from quadmix_assets.defs.conditions import ON_CHANGES, PINNED, SHARD
from quadmix_assets.defs.corpus import target_sets, tokenizer
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialize_shards, materialized
from quadmix_assets.defs.metadata import (
    Cost,
    clear_errors,
    columns_metadata,
    markdown_table,
    place_metadata,
    table_metadata,
)
from quadmix_assets.defs.needs import SCORES
from quadmix_assets.defs.partitions import SHARDS, shards_with
from quadmix_assets.defs.raw_shards import raw_shards
from quadmix_assets.defs.reference_pool import reference_pool
from quadmix_assets.defs.resources import (
    OWNERS,
    PLANTED,
    SHARDS_PER_RUN,
    ProjectResource,
    version_of,
)
from quadmix_assets.features.inference import Runtime
from quadmix_assets.features.inference.checkpoint import CheckpointError
from quadmix_assets.features.label_coverage import label_coverage
from quadmix_assets.features.learned.fit import FittedModels, fit_models, load_models
from quadmix_assets.features.learned.pinned import StaleModelError
from quadmix_assets.features.normalize_pool import fit_normalizers
from quadmix_assets.features.population_shift import (
    describe_shifts,
    reference_shards,
    shift_table,
    shifts_of_shards,
)
from quadmix_assets.features.score import N_TOKENS, label_shard, score_shard
from quadmix_assets.features.score_drift import score_drift, write_sketch
from quadmix_assets.features.scored_reference_pool import (
    read_scored_reference_pool,
    write_scored_reference_pool,
)
from quadmix_assets.features.spread_windows import spread_windows
from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    FITTED_MODELS,
    PLANTED_CORPUS,
    RAW_SHARDS,
    SCORE_NORMALIZERS,
    SCORED_REFERENCE_POOL,
    SCORED_SHARDS,
)
from quadmix_assets.report.markdown import inert
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store

GROUP = "features"


@dg.asset(
    group_name=GROUP,
    kinds={"python"},
    owners=OWNERS,
    code_version=version_of(FITTED_MODELS, 1),
    deps=[reference_pool, target_sets, *([PLANTED_CORPUS] if PLANTED else [])],
    automation_condition=PINNED,
)
@faults_in_words
def fitted_models(project: ProjectResource) -> dg.MaterializeResult:
    """Models of criteria and domain classifier, fitted once on a sample of the pool. Pinned.

    They give the quality scores q[n] and the domain m of the paper; published models are resolved
    to one revision here. Materialise it again to fit them to a changed pool: every shard is scored
    anew where its model differs.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(ValueError, MissingOutputError):
        summary = fit_models(store, read_reference_pool(store).shards, settings)
    used = {"model": list(summary.n_documents), "n_documents": list(summary.n_documents.values())}
    found = {} if summary.domains is None else {"clusters": markdown_table(summary.domains)}
    if summary.rank_checks:
        found["precisions"] = markdown_table(
            pl.DataFrame(
                {
                    "criterion": list(summary.rank_checks),
                    "asked": [check.asked for check in summary.rank_checks.values()],
                    "spearman": [check.spearman for check in summary.rank_checks.values()],
                    "n_documents": [check.n_documents for check in summary.rank_checks.values()],
                    "used": [check.used for check in summary.rank_checks.values()],
                }
            )
        )
    fingerprint = store.fingerprint(store.root / FITTED_MODELS)
    return materialized(
        project,
        FITTED_MODELS,
        {
            **found,
            "documents_used": markdown_table(pl.DataFrame(used)),
            "fingerprint": fingerprint,
            "dagster/uri": str(store.root / FITTED_MODELS),
            **cost.metadata(n_documents=sum(summary.n_documents.values())),
        },
        version=fingerprint,
    )


def _n_bytes(store: Store, shard: str) -> int:
    """The size of a shard's texts."""
    n_bytes: int = store.summary(store.table_path(RAW_SHARDS, shard))["n_bytes"]
    return n_bytes


def _load_models(store: Store, settings: Settings) -> FittedModels:
    with store.local_folder(store.root / FITTED_MODELS) as folder:
        return load_models(folder, settings, Runtime.of(settings))


@dg.asset(
    group_name=GROUP,
    kinds={"polars", "parquet"},
    owners=OWNERS,
    code_version=version_of(SCORED_SHARDS, 1),
    partitions_def=SHARDS,
    deps=[raw_shards, fitted_models, tokenizer],
    backfill_policy=dg.BackfillPolicy.multi_run(SHARDS_PER_RUN),
    automation_condition=SHARD,
    pool="scoring",
    op_tags=SCORES,
)
@faults_in_words
def scored_shards(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """Token counts and raw scores of every document, larger is better.

    The quality scores q[n] of the paper, one column per criterion, in its scorer's own scale. Only
    what a changed criterion computes is computed again; a killed step goes on where it was.
    `score_report` shows what each criterion prefers.
    """
    # Read once: a profile takes longer to read than a small shard to score.
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError, StaleModelError, CheckpointError):
        models = _load_models(store, settings)
        encoder = TokenEncoder(project_tokenizer(store))
    fingerprints = {
        "fitted_models": store.fingerprint(store.root / FITTED_MODELS),
        "tokenizer": store.fingerprint(tokenizer_path(store)),
    }

    lineage = {
        "id": [(RAW_SHARDS, "id")],
        "n_tokens": [(RAW_SHARDS, "text")],
        **{
            name: [(RAW_SHARDS, column) for column in criterion.settings.columns_read]
            for criterion in models.criteria
            for name in (criterion.name, *criterion.extra_columns)
        },
    }

    def work(key: str) -> dict[str, object]:
        cost = Cost()
        spread_windows(store, settings, SCORED_SHARDS, key, fingerprints)
        score_shard(
            store,
            key,
            models.criteria,
            encoder,
            fingerprints,
            {**models.fingerprints, N_TOKENS: fingerprints["tokenizer"]},
        )
        path = store.table_path(SCORED_SHARDS, key)
        scored = store.read_table(path)
        write_sketch(store, key, scored, project.settings.score_names)
        means = {
            f"mean_{criterion.name}": float(scored[criterion.name].to_numpy().mean())
            for criterion in models.criteria
            if scored.height
        }
        return {
            **place_metadata(path, scored.height),
            "n_tokens": int(scored["n_tokens"].sum()),
            **means,
            **cost.metadata(n_documents=scored.height, n_bytes=_n_bytes(store, key)),
        }

    return materialize_shards(
        context,
        project,
        SCORED_SHARDS,
        work,
        columns=lambda schema: columns_metadata(SCORED_SHARDS, schema, lineage),
        expected_errors=(MissingOutputError, ValueError),
    )


@dg.asset(
    group_name=GROUP,
    kinds={"polars", "parquet"},
    owners=OWNERS,
    code_version=version_of(DOMAIN_LABELS, 2),
    partitions_def=SHARDS,
    deps=[raw_shards, fitted_models],
    backfill_policy=dg.BackfillPolicy.multi_run(SHARDS_PER_RUN),
    automation_condition=SHARD,
    pool="scoring",
    op_tags=SCORES,
)
@faults_in_words
def domain_labels(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """The domain of every document, with the classifier's confidence.

    The domain label m of the paper, whose classifier has 26 domains (`kind: nvidia`). Documents
    below `features.domains.confidence_floor` are `unknown`, a domain of its own. If many are, lower
    the floor or choose another classifier.
    """
    # Read once: a profile takes longer to read than a small shard to score.
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError, StaleModelError, CheckpointError):
        models = _load_models(store, settings)
    fingerprints = {"fitted_models": store.fingerprint(store.root / FITTED_MODELS)}

    def work(key: str) -> dict[str, object]:
        cost = Cost()
        spread_windows(store, settings, DOMAIN_LABELS, key, fingerprints)
        counts = label_shard(store, key, models.domains, fingerprints, models.fingerprints)
        path = store.table_path(DOMAIN_LABELS, key)
        n_documents = int(counts["n_documents"].sum())
        return {
            **place_metadata(path, n_documents),
            "documents_per_domain": markdown_table(counts),
            **cost.metadata(n_documents=n_documents, n_bytes=_n_bytes(store, key)),
        }

    return materialize_shards(
        context, project, DOMAIN_LABELS, work, expected_errors=(MissingOutputError, ValueError)
    )


@dg.asset(
    group_name=GROUP,
    kinds={"json"},
    owners=OWNERS,
    code_version=version_of(SCORED_REFERENCE_POOL, 1),
    deps=[scored_shards, domain_labels],
    automation_condition=PINNED,
)
@faults_in_words
def scored_reference_pool(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """The scored shards that normalizers, proxy pool and rank calibration are made of. Pinned.

    Like `reference_pool` it turns unsynced when the pool has grown, in place of what is fitted.
    Materialise it again when the checks `normalizers_fit_the_pool` or `calibration_fits_the_pool`
    say that the pool has moved away; normalizers, swarm and mix are then made anew.
    """
    cost = Cost()
    store = project.store
    labelled = set(shards_with(context, DOMAIN_LABELS))
    scored = [shard for shard in shards_with(context, SCORED_SHARDS) if shard in labelled]
    with clear_errors(MissingOutputError, ValueError):
        shards = write_scored_reference_pool(store, scored)
    return materialized(
        project,
        SCORED_REFERENCE_POOL,
        {
            "n_shards": len(shards),
            "dagster/uri": str(store.root / SCORED_REFERENCE_POOL),
            **cost.metadata(),
        },
    )


@dg.asset(
    group_name=GROUP,
    kinds={"polars", "parquet"},
    owners=OWNERS,
    code_version=version_of(SCORE_NORMALIZERS, 1),
    deps=[scored_reference_pool],
    automation_condition=PINNED,
)
@faults_in_words
def score_normalizers(project: ProjectResource) -> dg.MaterializeResult:
    """sigma: raw score -> token share of the pool that scores better or equal. Pinned.

    The normalization of Eq. 1, which maps all criteria to one scale on which smaller is better.
    Fitted on all documents of the scored reference pool, so that new shards do not move the scores
    of old ones; one table per criterion, and the rows shown are those of the first.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    criteria = settings.score_names
    with clear_errors(MissingOutputError, ValueError):
        shards = read_scored_reference_pool(store)
        fitted = fit_normalizers(store, shards, criteria, settings.features.normalizer)
    return materialized(
        project,
        SCORE_NORMALIZERS,
        {
            "n_shards": len(shards),
            "n_documents": fitted.n_documents,
            "n_tokens": fitted.n_tokens,
            "max_share_error": fitted.max_error,
            **table_metadata(
                store.table_path(SCORE_NORMALIZERS, criteria[0]),
                store.read_schema(store.table_path(SCORE_NORMALIZERS, criteria[0])),
            ),
            "dagster/uri": str(store.root / SCORE_NORMALIZERS),
            **cost.metadata(n_documents=fitted.n_documents),
        },
    )


@dg.asset_check(asset=domain_labels, automation_condition=ON_CHANGES)
@faults_in_words
def labels_cover_the_pool(
    context: dg.AssetCheckExecutionContext, project: ProjectResource
) -> dg.AssetCheckResult:
    """Whether the share of documents without a domain is at most `features.max_unknown_share`."""
    limit = project.settings.features.max_unknown_share
    with clear_errors(MissingOutputError):
        coverage = label_coverage(project.store, shards_with(context, DOMAIN_LABELS))
    far = {k: share for k, share in coverage.unknown_by_shard.items() if share > limit}
    table = pl.DataFrame(
        {"shard": list(far), "unknown_share": list(far.values())},
        schema={"shard": pl.String, "unknown_share": pl.Float64},
    )
    return dg.AssetCheckResult(
        passed=coverage.unknown_share <= limit and not coverage.is_empty,
        severity=dg.AssetCheckSeverity.ERROR,
        description=inert(coverage.in_words(limit)),
        metadata={
            "n_documents": coverage.n_documents,
            "n_unknown": coverage.n_unknown,
            "unknown_share": coverage.unknown_share,
            "shards_over_the_limit": markdown_table(
                table.sort("unknown_share", descending=True).head(50)
            ),
        },
    )


@dg.asset_check(
    asset=score_normalizers,
    additional_deps=[scored_shards],
    automation_condition=ON_CHANGES,
)
@faults_in_words
def new_shards_resemble_the_pool(
    context: dg.AssetCheckExecutionContext, project: ProjectResource
) -> dg.AssetCheckResult:
    """Whether the scores of shards added since resemble those that sigma was fitted on.

    Measured per shard and criterion by the population stability index; limit
    `features.max_population_shift`, and what chance explains in small shards on top of it.
    """
    settings, store = project.settings, project.store
    reference = reference_shards(store)
    new = [key for key in shards_with(context, SCORED_SHARDS) if key not in reference]
    with clear_errors(MissingOutputError):
        found = shifts_of_shards(store, new, settings.score_names)
    table, far = shift_table(found, settings.features.max_population_shift)
    return dg.AssetCheckResult(
        passed=not far,
        severity=dg.AssetCheckSeverity.WARN,
        description=inert(describe_shifts(found, far, settings.features.max_population_shift)),
        metadata={"shifts": markdown_table(table.head(50)), "n_shards": len(new)},
    )


@dg.asset_check(
    asset=score_normalizers,
    additional_deps=[scored_shards],
    automation_condition=ON_CHANGES,
)
@faults_in_words
def normalizers_fit_the_pool(
    context: dg.AssetCheckExecutionContext, project: ProjectResource
) -> dg.AssetCheckResult:
    """Whether the pool's scores have drifted from what the pinned normalizers were fitted on."""
    settings, store = project.settings, project.store
    criteria = settings.score_names
    if settings.features.normalizer.kind != "rank":
        return dg.AssetCheckResult(
            passed=True, description="drift is measured for rank normalizers only"
        )
    shards = shards_with(context, SCORED_SHARDS)
    with clear_errors(MissingOutputError, ValueError):
        found = score_drift(store, shards, criteria)
    distance = {name: drift.distance for name, drift in found.items()}
    limit = settings.features.max_drift
    far = {name: value for name, value in distance.items() if value > limit}
    return dg.AssetCheckResult(
        passed=not far,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"the normalizers still fit the pool (limit {limit})"
        if not far
        else f"the pool has drifted from the normalizers of {', '.join(far)}: sigma is off by up "
        f"to {max(far.values()):.3f} (limit {limit}); to fit them again, materialise "
        "scored_reference_pool and all assets downstream of it",
        metadata={
            **{f"drift_{name}": value for name, value in distance.items()},
            "max_error": max((drift.max_error for drift in found.values()), default=0.0),
        },
    )
