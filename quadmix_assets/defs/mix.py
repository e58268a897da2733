"""Group `mix`: rank calibration, final mix, manifest."""

import dagster as dg
import polars as pl

from quadmix_assets.defs.conditions import GATHER, ON_SHARDS, PINNED, SHARD
from quadmix_assets.defs.features import (
    domain_labels,
    score_normalizers,
    scored_reference_pool,
    scored_shards,
)
from quadmix_assets.defs.metadata import Cost, clear_errors, figure, markdown_table, table_metadata
from quadmix_assets.defs.partitions import SHARDS, for_each_partition, shards_with
from quadmix_assets.defs.raw_shards import raw_shards
from quadmix_assets.defs.resources import OWNERS, SHARDS_PER_RUN, ProjectResource, version_of
from quadmix_assets.defs.search import optimal_params
from quadmix_assets.features.scored_reference_pool import read_scored_reference_pool
from quadmix_assets.mix.calibrate_pool import calibrate_pool, calibration_drift
from quadmix_assets.mix.export import export_shard
from quadmix_assets.mix.final_mix import column_lineage, mix_shard
from quadmix_assets.mix.manifest import (
    build_manifest,
    read_manifest,
    stale_shards,
    write_manifest,
)
from quadmix_assets.mix.model import load_mix_model
from quadmix_assets.mix.plots import plot_domain_shares, plot_sampling_curves
from quadmix_assets.mix.summary import domain_table, unmet_constraints
from quadmix_assets.outputs import (
    EXPORT,
    FINAL_MIX,
    MIX_MANIFEST,
    RANK_CALIBRATION,
    SCORED_SHARDS,
)
from quadmix_assets.store import MissingOutputError

GROUP = "mix"


@dg.asset(
    group_name=GROUP,
    kinds={"polars", "parquet"},
    owners=OWNERS,
    code_version=version_of(RANK_CALIBRATION, 2),
    deps=[score_normalizers, scored_reference_pool, optimal_params],
    automation_condition=PINNED,
)
def rank_calibration(project: ProjectResource) -> dg.MaterializeResult:
    """Per domain, merged score under theta* -> cumulative token share of the pool. Pinned.

    Built from all documents' scores, never their text. It freezes theta* of `mix.objective`: a
    later search changes the mix only when this asset is materialised again. Where the settings
    give the mix a budget, theta*'s omegas are scaled so that the pool meets it.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError, ValueError):
        made = calibrate_pool(store, read_scored_reference_pool(store), settings)
    path = store.table_path(RANK_CALIBRATION)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(store.fingerprint(store.root / RANK_CALIBRATION)),
        metadata={
            **table_metadata(path, store.read_schema(path), store.n_rows(path)),
            "objective": settings.mix_objective,
            "n_documents": made.n_documents,
            "expected_tokens_of_mix": float(made.expected_tokens.sum()),
            "max_rank_error": made.calibration.max_error,
            "sampling_curves": figure(
                store,
                RANK_CALIBRATION,
                "sampling_curves",
                plot_sampling_curves(made.theta, settings.domain_names),
            ),
            **cost.metadata(),
        },
    )


@dg.asset_check(
    asset=rank_calibration,
    additional_deps=[scored_shards, domain_labels],
    automation_condition=ON_SHARDS,
)
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
)
def final_mix(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """The selected documents with copies, raw scores, domain, rank and S.

    The export for trainers is in `final_mix_export/`.
    """
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError):
        model = load_mix_model(store, settings)
    lineage = column_lineage(settings.criterion_names)

    def work(key: str) -> dict[str, object]:
        cost = Cost()
        summary = mix_shard(store, key, model)
        if settings.mix.export.format != "none":
            export_shard(store, key, settings.mix.export.format)
        path = store.table_path(FINAL_MIX, key)
        counts = {name: summary[name] for name in summary if name.startswith("n_")}
        return {
            **table_metadata(path, store.read_schema(path), summary["n_documents_out"], lineage),
            **{name: value for name, value in counts.items() if isinstance(value, int)},
            "max_copies": summary["max_copies"],
            "token_share_kept": summary["n_tokens_out"] / max(summary["n_tokens_in"], 1),
            "export": str(store.root / EXPORT),
            **cost.metadata(),
        }

    return for_each_partition(
        context,
        work,
        version=lambda key: store.fingerprint(store.table_path(FINAL_MIX, key)),
        expected_errors=(MissingOutputError, ValueError),
    )


@dg.asset(
    group_name=GROUP,
    kinds={"json"},
    owners=OWNERS,
    code_version=version_of(MIX_MANIFEST, 1),
    deps=[final_mix],
    automation_condition=GATHER,
)
def mix_manifest(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """Everything that the mix was made from in one JSON, from settings to each shard's checksum."""
    cost = Cost()
    settings, store = project.settings, project.store
    shards = shards_with(context, FINAL_MIX)
    with clear_errors(MissingOutputError):
        manifest = build_manifest(store, shards, settings)
    path = write_manifest(store, settings, manifest)
    table = domain_table(manifest)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(store.fingerprint(store.root / MIX_MANIFEST)),
        metadata={
            "dagster/uri": str(path),
            "n_shards": len(shards),
            **manifest["totals"],
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


@dg.asset_check(asset=mix_manifest)
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
        else f"{len(stale)} of {len(shards)} shards of the mix were made from older inputs, the "
        f"first {next(iter(stale))!r} ({', '.join(stale[next(iter(stale))])}): materialise "
        f"final_mix for them (profile {settings.profile!r})",
        metadata={"stale_shards": markdown_table(table)},
    )


@dg.asset_check(asset=mix_manifest)
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
