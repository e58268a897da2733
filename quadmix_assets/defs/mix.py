"""Group `mix`: rank calibration, final mix, manifest."""

import dagster as dg
import polars as pl

from quadmix_assets.defs.automation import ON_SHARDS, PER_SHARD
from quadmix_assets.defs.corpus import raw_shards
from quadmix_assets.defs.features import domain_labels, score_normalizers, scored_shards
from quadmix_assets.defs.metadata import Cost, clear_errors, figure, markdown_table, table_metadata
from quadmix_assets.defs.partitions import SHARDS, for_each_partition, shards_with
from quadmix_assets.defs.resources import OWNERS, SHARDS_PER_RUN, ProjectResource
from quadmix_assets.defs.search import optimal_params
from quadmix_assets.features.normalize_pool import drift, load_normalizers
from quadmix_assets.features.scored_documents import read_scored
from quadmix_assets.mix.budget import expected_tokens, scale_to_budget
from quadmix_assets.mix.calibration import RankCalibration, merged_scores
from quadmix_assets.mix.export import export_shard
from quadmix_assets.mix.final_mix import mix_shard
from quadmix_assets.mix.manifest import (
    build_manifest,
    read_manifest,
    stale_shards,
    write_manifest,
)
from quadmix_assets.mix.model import load_mix_model, read_calibration
from quadmix_assets.mix.plots import plot_domain_shares, plot_sampling_curves
from quadmix_assets.mix.summary import domain_table, unmet_constraints
from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    EXPORT,
    FINAL_MIX,
    MIX_MANIFEST,
    RANK_CALIBRATION,
    RAW_SHARDS,
    SCORED_SHARDS,
)
from quadmix_assets.sampling.theta_json import theta_to_json
from quadmix_assets.search.optimum import read_optimum
from quadmix_assets.store import MissingOutputError

GROUP = "mix"


@dg.asset(
    group_name=GROUP,
    kinds={"polars", "parquet"},
    owners=OWNERS,
    code_version="2",
    deps=[score_normalizers, scored_shards, domain_labels, optimal_params],
)
def rank_calibration(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """Per domain, merged score under theta* -> cumulative token share of the pool. Pinned.

    Built from all documents' scores, never their text. The optimum of the objective that
    `mix.objective` names is taken over here: from now on the mix is made with it. Where the
    settings give the mix a budget, theta*'s omegas are scaled so that the pool meets it.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    shards = shards_with(context, SCORED_SHARDS)
    with clear_errors(MissingOutputError, ValueError):
        theta, prediction = read_optimum(store, settings, settings.mix_objective)
        pool = read_scored(store, shards, settings.criterion_names, settings.domain_names)
        normalizers = load_normalizers(store, settings.criterion_names)
    merged = merged_scores(pool, normalizers, theta)
    calibration = RankCalibration.fit(
        merged,
        pool.domains,
        pool.n_tokens,
        n_domains=len(settings.domain_names),
        max_breakpoints=settings.mix.max_breakpoints,
    )
    ranks = calibration.ranks(merged, pool.domains)
    budget = settings.search.constraints.mix_tokens
    if budget is not None:
        with clear_errors(ValueError):
            theta = scale_to_budget(theta, ranks, pool.domains, pool.n_tokens, budget)
    expected = expected_tokens(theta, ranks, pool.domains, pool.n_tokens)
    table = calibration.to_frame()
    path = store.table_path(RANK_CALIBRATION)
    store.write_table(path, table)
    store.write_json(
        store.path(RANK_CALIBRATION, "theta.json"),
        {
            "objective": settings.mix_objective,
            "prediction": prediction,
            "expected_tokens": expected.tolist(),
            "theta": theta_to_json(theta),
        },
    )
    return dg.MaterializeResult(
        metadata={
            **table_metadata(path, table.schema, table.height),
            "objective": settings.mix_objective,
            "n_documents": len(pool.ids),
            "expected_tokens_of_mix": float(expected.sum()),
            "max_rank_error": calibration.max_error,
            "sampling_curves": figure(
                store,
                RANK_CALIBRATION,
                "sampling_curves",
                plot_sampling_curves(theta, settings.domain_names),
            ),
            **cost.metadata(),
        }
    )


@dg.asset_check(
    asset=rank_calibration,
    additional_deps=[scored_shards, domain_labels],
    automation_condition=ON_SHARDS,
)
def calibration_fits_the_pool(
    context: dg.AssetCheckExecutionContext, project: ProjectResource
) -> dg.AssetCheckResult:
    """Whether ranks from the pinned calibration have drifted from the ranks in today's pool."""
    settings, store = project.settings, project.store
    theta, calibration = read_calibration(store, settings)
    shards = shards_with(context, SCORED_SHARDS)
    pool = read_scored(store, shards, settings.criterion_names, settings.domain_names)
    merged = merged_scores(pool, load_normalizers(store, settings.criterion_names), theta)
    ranks = calibration.ranks(merged, pool.domains)
    distance = {
        name: drift(ranks[members], merged[members], pool.n_tokens[members])
        for index, name in enumerate(settings.domain_names)
        if (members := pool.domains == index).any()
    }
    limit = settings.features.max_drift
    far = sorted(name for name, value in distance.items() if value > limit)
    return dg.AssetCheckResult(
        passed=not far,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"ranks are off by at most {max(distance.values(), default=0.0):.3f} "
        f"(limit {limit})"
        + (
            f"; too far in {', '.join(far)}: materialise rank_calibration again, which makes the "
            "final mix of all shards anew"
            if far
            else ""
        ),
        metadata={f"drift_{name}": value for name, value in distance.items()},
    )


@dg.asset(
    group_name=GROUP,
    kinds={"polars", "parquet"},
    owners=OWNERS,
    code_version="1",
    partitions_def=SHARDS,
    deps=[raw_shards, scored_shards, domain_labels, score_normalizers, rank_calibration],
    backfill_policy=dg.BackfillPolicy.multi_run(SHARDS_PER_RUN),
    automation_condition=PER_SHARD,
)
def final_mix(context: dg.AssetExecutionContext, project: ProjectResource) -> None:
    """The selected documents with copies, raw scores, domain, rank and S.

    The plain export that a trainer reads lies beside it in `final_mix_export/`.
    """
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError):
        model = load_mix_model(store, settings)

    scores = [(SCORED_SHARDS, name) for name in settings.criterion_names]
    decided = [*scores, (DOMAIN_LABELS, "domain"), (SCORED_SHARDS, "n_tokens")]
    lineage = {
        **{name: [(RAW_SHARDS, name)] for name in ("id", "text", "source", "n_bytes")},
        **{name: [(asset, name)] for asset, name in scores},
        "domain": [(DOMAIN_LABELS, "domain")],
        "n_tokens": [(SCORED_SHARDS, "n_tokens")],
        **dict.fromkeys(("merged_score", "rank", "sampling_value", "copies"), decided),
    }

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

    for_each_partition(context, work, expected_errors=(MissingOutputError, ValueError))


@dg.asset(
    group_name=GROUP,
    kinds={"json"},
    owners=OWNERS,
    code_version="1",
    deps=[final_mix],
    automation_condition=ON_SHARDS,
)
def mix_manifest(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """Everything that made the mix in one JSON, from settings to every shard's checksum."""
    cost = Cost()
    settings, store = project.settings, project.store
    shards = shards_with(context, FINAL_MIX)
    with clear_errors(MissingOutputError):
        theta, _ = read_calibration(store, settings)
        prediction = store.read_json(store.path(RANK_CALIBRATION, "theta.json"))["prediction"]
        manifest = build_manifest(store, shards, settings, theta, prediction)
    path = write_manifest(store, settings, manifest)
    table = domain_table(manifest)
    return dg.MaterializeResult(
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
        }
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
    """Whether the mix as drawn keeps to `search.constraints`, give or take the luck of the draw."""
    settings, store = project.settings, project.store
    unmet = unmet_constraints(read_manifest(store), settings.search.constraints)
    return dg.AssetCheckResult(
        passed=not unmet,
        severity=dg.AssetCheckSeverity.WARN,
        description="the mix keeps to all constraints"
        if not unmet
        else "; ".join(unmet)
        + ". Materialise optimal_params and rank_calibration again if the pool has changed since",
    )
