"""Group `mix`: rank calibration, final mix, manifest."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import polars as pl
from pydantic import Field

from quadmix_assets.defs.conditions import GATHER, ON_CHANGES, PINNED, SHARD
from quadmix_assets.defs.discovery import INPUT_LISTING
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.features import (
    domain_labels,
    score_normalizers,
    scored_reference_pool,
    scored_shards,
)
from quadmix_assets.defs.materialized import materialize_shards, materialized
from quadmix_assets.defs.metadata import (
    Cost,
    clear_errors,
    figure,
    lineage_metadata,
    markdown_table,
    table_metadata,
)
from quadmix_assets.defs.mix_links import MANIFEST_TAG, gather_links, tag_runs
from quadmix_assets.defs.optimum_check import optimum_check
from quadmix_assets.defs.partitions import SHARDS, shard_keys, shards_with
from quadmix_assets.defs.proxies import proxy_metrics
from quadmix_assets.defs.raw_shards import raw_shards
from quadmix_assets.defs.resources import (
    OWNERS,
    SETTINGS,
    SHARDS_PER_RUN,
    ProjectResource,
    version_of,
)
from quadmix_assets.defs.search import optimal_params
from quadmix_assets.features.scored_reference_pool import read_scored_reference_pool
from quadmix_assets.mix.calibrate_pool import calibrate_pool, calibration_drift
from quadmix_assets.mix.changes import changes_since
from quadmix_assets.mix.completeness import incomplete_entries
from quadmix_assets.mix.export import export_shard
from quadmix_assets.mix.final_mix import column_lineage, mix_shard
from quadmix_assets.mix.guards import check_guards
from quadmix_assets.mix.links import (
    LINKED_COLUMNS,
    Link,
    links_path,
    read_links,
    table_of_links,
    write_links,
)
from quadmix_assets.mix.made_from import write_made_from
from quadmix_assets.mix.manifest import (
    build_manifest,
    read_manifest,
    stale_shards,
    usable_shards,
    write_manifest,
)
from quadmix_assets.mix.model import load_mix_model
from quadmix_assets.mix.plots import plot_domain_shares, plot_sampling_curves
from quadmix_assets.mix.summary import domain_table, unmet_constraints
from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    EXPORT,
    FINAL_MIX,
    MIX_MANIFEST,
    PROXY_METRICS,
    RANK_CALIBRATION,
    RAW_SHARDS,
    SCORED_SHARDS,
)
from quadmix_assets.report.markdown import inert
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store

GROUP = "mix"
_MOST_PROBLEMS = 5


class MixChoice(dg.Config):
    """What one launch may choose for the mix, instead of the settings."""

    objective: str | None = Field(
        default=None,
        description="name of the objective whose theta* makes the mix; null: mix.objective",
    )
    tokens: int | None = Field(
        default=None,
        ge=1,
        description="budget of the mix in tokens; null: search.constraints.mix_tokens",
    )


@dg.asset(
    group_name=GROUP,
    kinds={"polars", "parquet"},
    owners=OWNERS,
    code_version=version_of(RANK_CALIBRATION, 3),
    deps=[score_normalizers, scored_reference_pool, optimal_params],
    automation_condition=PINNED,
)
@faults_in_words
def rank_calibration(
    context: dg.AssetExecutionContext, config: MixChoice, project: ProjectResource
) -> dg.MaterializeResult:
    """Per domain, merged score under theta* -> cumulative token share of the pool. Pinned.

    Eq. 2 as a table, built from all documents' scores, never their text; the paper estimates it on
    10,000 documents. It freezes theta* of `mix.objective`: a later search changes the mix only when
    this asset is materialised again. Where the settings give the mix a budget, theta*'s omegas are
    scaled so that the pool meets it. It waits while a guard fails (the regressor is no better than
    a constant, theta* lies outside the evidence, too many proxies failed, too few documents have a
    domain), unless `mix.accept` names it.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    objective = _objective(settings, config.objective)
    with clear_errors(MissingOutputError, ValueError):
        shards = read_scored_reference_pool(store)
        guards = check_guards(store, shards, settings, objective)
        made = calibrate_pool(
            store, shards, settings, objective=objective, mix_tokens=config.tokens
        )
        write_made_from(store, guards)
    for guard in guards.failed:
        context.log.warning(f"accepted by mix.accept: {guard.name}: {guard.words}")
    path = store.table_path(RANK_CALIBRATION)
    return materialized(
        project,
        RANK_CALIBRATION,
        {
            **table_metadata(path, store.read_schema(path), store.n_rows(path)),
            "objective": made.objective,
            "mix_tokens": made.mix_tokens if made.mix_tokens is not None else "no budget",
            "accepted_guards": ", ".join(guards.accepted) or "none",
            "n_documents": made.n_documents,
            "expected_tokens_of_mix": float(made.expected_tokens.sum()),
            "max_rank_error": made.calibration.max_error,
            "sampling_curves": figure(
                store,
                RANK_CALIBRATION,
                "sampling_curves",
                plot_sampling_curves(
                    made.theta, settings.domain_names, made.calibration.n_breakpoints
                ),
            ),
            **cost.metadata(n_documents=made.n_documents),
        },
    )


def _objective(settings: Settings, wanted: str | None) -> str:
    """The objective of a launch: the wanted one, or that of the settings.

    Raises:
        dg.Failure: there is no such objective.
    """
    if wanted is None:
        return settings.mix_objective
    known = [objective.name for objective in settings.objectives]
    if wanted not in known:
        raise dg.Failure(
            f"the launch asks for the objective {wanted!r}; search.objectives has: "
            f"{', '.join(known)}",
            allow_retries=False,
        )
    return wanted


@dg.asset_check(
    asset=rank_calibration,
    additional_deps=[scored_shards, domain_labels],
    automation_condition=ON_CHANGES,
)
@faults_in_words
def calibration_fits_the_pool(
    context: dg.AssetCheckExecutionContext, project: ProjectResource
) -> dg.AssetCheckResult:
    """Whether ranks by the pinned calibration still agree with the ranks in the current pool."""
    settings, store = project.settings, project.store
    drift = calibration_drift(store, shards_with(context, SCORED_SHARDS), settings)
    limit = settings.features.max_drift
    far = sorted(name for name, value in drift.items() if value > limit)
    return dg.AssetCheckResult(
        passed=not far,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"ranks are off by at most {max(drift.values(), default=0.0):.3f} "
        f"(limit {limit})"
        + (
            f"; too far in {', '.join(far)}: materialise rank_calibration again, after which the "
            "final mix of all shards is made again"
            if far
            else ""
        ),
        metadata={f"drift_{name}": value for name, value in drift.items()},
    )


@dg.asset(
    group_name=GROUP,
    kinds={"polars", "parquet"},
    owners=OWNERS,
    code_version=version_of(FINAL_MIX, 1),
    partitions_def=SHARDS,
    deps=[raw_shards, scored_shards, domain_labels, score_normalizers, rank_calibration],
    backfill_policy=dg.BackfillPolicy.multi_run(SHARDS_PER_RUN),
    automation_condition=SHARD,
    # Here and not with every shard, so that events stay small.
    metadata={"dagster/column_lineage": lineage_metadata(column_lineage(SETTINGS.criterion_names))},
)
@faults_in_words
def final_mix(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """The selected documents with copies, raw scores, domain, rank and S.

    Eqs. 1 to 3 with theta* on the whole pool, a shard at a time; a document with S = 2.3 is taken
    twice, and a third time with probability 0.3. The export for trainers is in `final_mix_export/`,
    each text once per copy. New shards are mixed as they come; `mix_manifest` says what the mix is
    made of.
    """
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError):
        model = load_mix_model(store, settings)

    def work(key: str) -> dict[str, object]:
        cost = Cost()
        summary = mix_shard(store, key, model)
        if settings.mix.export.format != "none":
            export_shard(store, key, settings.mix.export.format)
        path = store.table_path(FINAL_MIX, key)
        counts = {name: summary[name] for name in summary if name.startswith("n_")}
        return {
            **table_metadata(path, store.read_schema(path), summary["n_documents_out"]),
            **{name: value for name, value in counts.items() if isinstance(value, int)},
            "max_copies": summary["max_copies"],
            "token_share_kept": summary["n_tokens_out"] / max(summary["n_tokens_in"], 1),
            "export": str(store.root / EXPORT),
            **cost.metadata(
                n_documents=summary["n_documents_in"],
                n_bytes=store.summary(store.table_path(RAW_SHARDS, key))["n_bytes"],
            ),
        }

    return materialize_shards(
        context, project, FINAL_MIX, work, expected_errors=(MissingOutputError, ValueError)
    )


@dg.asset(
    group_name=GROUP,
    kinds={"json"},
    owners=OWNERS,
    code_version=version_of(MIX_MANIFEST, 2),
    deps=[final_mix, INPUT_LISTING, optimum_check],
    automation_condition=GATHER,
)
@faults_in_words
def mix_manifest(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """Everything that the mix was made from in one JSON, from settings to each shard's checksum.

    Keep it with the model that is trained on the mix. `mix_links/links.json` leads from each entry
    to the asset, partition and run that made it. Shares before and after are those of the paper's
    Figure 4. Its checks name what is newer than the mix or gone since: materialise the partitions
    that they name.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    shards = shards_with(context, FINAL_MIX)
    with clear_errors(MissingOutputError):
        manifest = build_manifest(store, shards, settings)
    path = write_manifest(store, settings, manifest)
    links = _linked(context, store, manifest)
    table = domain_table(manifest)
    return materialized(
        project,
        MIX_MANIFEST,
        {
            "dagster/uri": str(path),
            "n_shards": len(shards),
            **manifest["totals"],
            "objective": manifest["objective"],
            "accepted_guards": ", ".join(manifest["guards"]["accepted"]) or "none",
            "git_commit": _commit(manifest),
            "settings_hash": manifest["settings_hash"],
            "links": markdown_table(table_of_links(links), LINKED_COLUMNS),
            "links_file": str(links_path(store)),
            "domains": markdown_table(table),
            "domain_shares": figure(
                store,
                MIX_MANIFEST,
                "domain_shares",
                plot_domain_shares(
                    table["domain"].to_list(),
                    table["share_in"].to_numpy(),
                    table["share_out"].to_numpy(),
                ),
            ),
            **cost.metadata(),
        },
    )


def _linked(
    context: dg.AssetExecutionContext, store: Store, manifest: Mapping[str, Any]
) -> list[Link]:
    """The links of a manifest, which are written, and lead back from their runs."""
    shards, batches = manifest["shards"], manifest["calibrated_from"][PROXY_METRICS]
    partitions = {
        **dict.fromkeys((RAW_SHARDS, SCORED_SHARDS, DOMAIN_LABELS, FINAL_MIX), shards),
        PROXY_METRICS: batches,
    }
    known = read_links(store)
    links = gather_links(context.instance, partitions, known)
    fingerprint = store.fingerprint(store.root / MIX_MANIFEST)
    write_links(store, fingerprint, links)
    tag_runs(context.instance, links, known, fingerprint)
    if context.instance.has_run(context.run.run_id):
        context.instance.add_run_tags(context.run.run_id, {MANIFEST_TAG: fingerprint})
    return links


def _commit(manifest: Mapping[str, Any]) -> str:
    git = manifest["git"]
    if git is None:
        return "not a checkout"
    return f"{git['commit']}{' with changes that are not committed' if git['dirty'] else ''}"


@dg.asset_check(
    asset=mix_manifest,
    additional_deps=[rank_calibration, score_normalizers, proxy_metrics, optimal_params],
    automation_condition=ON_CHANGES,
)
@faults_in_words
def mix_is_current(
    context: dg.AssetCheckExecutionContext, project: ProjectResource
) -> dg.AssetCheckResult:
    """What is newer or gone since the mix was made: shards, scores, tables, proxies, settings."""
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError):
        changes = changes_since(store, settings, read_manifest(store), shard_keys(context))
    table = pl.DataFrame(
        {
            "what": list(changes.by_kind),
            "names": [", ".join(names) for names in changes.by_kind.values()],
        },
        schema={"what": pl.String, "names": pl.String},
    )
    return dg.AssetCheckResult(
        passed=not changes.by_kind,
        severity=dg.AssetCheckSeverity.WARN,
        description="nothing has changed since the mix was made"
        if not changes.by_kind
        else f"since the mix was made, {inert(changes.in_words())}. To follow, materialise what is "
        "unsynced on the lineage page, from rank_calibration on where theta* shall follow too",
        metadata={"changes": markdown_table(table)},
    )


@dg.asset_check(asset=mix_manifest)
@faults_in_words
def manifest_is_complete(
    context: dg.AssetCheckExecutionContext, project: ProjectResource
) -> dg.AssetCheckResult:
    """Whether the mix holds every usable shard, and every file of the manifest is as recorded."""
    store = project.store
    manifest = read_manifest(store)
    problems = incomplete_entries(store, manifest, usable_shards(store, shard_keys(context)))
    return dg.AssetCheckResult(
        passed=not problems,
        description=f"all {len(manifest['shards'])} shards and {len(manifest['tables'])} tables "
        "are there as recorded"
        if not problems
        else f"{len(problems)} entries are missing or differ: "
        + inert("; ".join(problems[:_MOST_PROBLEMS]))
        + ("; ..." if len(problems) > _MOST_PROBLEMS else ""),
        metadata={"problems": markdown_table(pl.DataFrame({"problem": problems}))},
    )


@dg.asset_check(asset=mix_manifest)
@faults_in_words
def mix_is_of_one_piece(
    context: dg.AssetCheckExecutionContext, project: ProjectResource
) -> dg.AssetCheckResult:
    """Whether all shards of the mix were made from the same, current inputs."""
    settings, store = project.settings, project.store
    shards = shards_with(context, FINAL_MIX)
    stale = stale_shards(store, shards)
    table = pl.DataFrame(
        {"shard": list(stale), "changed": [", ".join(names) for names in stale.values()]}
    )
    return dg.AssetCheckResult(
        passed=not stale,
        description=f"{len(shards)} shards were made from the same, current inputs"
        if not stale
        else inert(
            f"{len(stale)} of {len(shards)} shards of the mix were made from older inputs, the "
            f"first {next(iter(stale))!r} ({', '.join(stale[next(iter(stale))])}): materialise "
            f"final_mix for them (profile {settings.profile!r})"
        ),
        metadata={"stale_shards": markdown_table(table)},
    )


@dg.asset_check(asset=mix_manifest)
@faults_in_words
def mix_meets_its_constraints(project: ProjectResource) -> dg.AssetCheckResult:
    """Whether the mix as drawn meets `search.constraints`, within 1 % for the random draw."""
    settings, store = project.settings, project.store
    unmet = unmet_constraints(read_manifest(store), settings.search.constraints)
    return dg.AssetCheckResult(
        passed=not unmet,
        severity=dg.AssetCheckSeverity.WARN,
        description="the mix meets all constraints"
        if not unmet
        else "; ".join(unmet)
        + ". Materialise optimal_params and rank_calibration again if the pool has changed since",
    )
