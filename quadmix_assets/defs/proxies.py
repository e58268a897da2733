"""Group `proxies`: the proxy pool, the thetas, and a small model trained for each of them."""

import dagster as dg
import numpy as np
import polars as pl

from quadmix_assets.corpus.tokenizer import project_tokenizer
from quadmix_assets.defs.conditions import BATCH, PINNED, PINNED_AFTER_ALL
from quadmix_assets.defs.corpus import target_sets, tokenizer
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.features import score_normalizers, scored_reference_pool
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import Cost, clear_errors, figure, markdown_table, table_metadata
from quadmix_assets.defs.needs import TRAINS
from quadmix_assets.defs.partitions import PROXY_BATCHES
from quadmix_assets.defs.progress import observe_batch_of_swarm
from quadmix_assets.defs.resources import OWNERS, ProjectResource, version_of
from quadmix_assets.defs.retries import RETRY_ONCE
from quadmix_assets.features.normalize_pool import load_normalizers
from quadmix_assets.features.scored_reference_pool import read_scored_reference_pool
from quadmix_assets.outputs import (
    MERGED_RANKS,
    PARAMETER_SETS,
    PROXY_EVALUATION,
    PROXY_METRICS,
    PROXY_POOL,
    SAMPLED_SUBSET,
)
from quadmix_assets.proxies.batch_weights import swarm_weights_bytes
from quadmix_assets.proxies.evaluate_swarm import evaluate_swarm, losses_version
from quadmix_assets.proxies.evidence import read_evidence
from quadmix_assets.proxies.parameter_sets import batch_names, read_batch, write_parameter_sets
from quadmix_assets.proxies.piece_share import regime_in_words
from quadmix_assets.proxies.proxy_pool import build_proxy_pool
from quadmix_assets.proxies.sample_batch import rank_batch, sample_batch
from quadmix_assets.proxies.swarm_progress import swarm_progress
from quadmix_assets.proxies.train_batch import train_batch
from quadmix_assets.sampling import feature_names
from quadmix_assets.store import MissingOutputError
from quadmix_assets.training.plots import plot_losses

GROUP = "proxies"
# One run per partition: each takes long, and uses the device alone.
_ONE_BY_ONE = dg.BackfillPolicy.multi_run(1)


@dg.asset(
    group_name=GROUP,
    kinds={"huggingface", "parquet"},
    owners=OWNERS,
    code_version=version_of(PROXY_POOL, 1),
    deps=[score_normalizers, scored_reference_pool, tokenizer],
    automation_condition=PINNED,
)
@faults_in_words
def proxy_pool(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """The tokenised sample of the pool that proxies train on, with scores and domains.

    Documents are sampled by a hash of their id, regardless of domain and score, down to
    `proxies.pool_tokens`; the samples of all thetas are drawn from it. A larger one lets proxies
    see more different documents. Making it again makes all losses stale.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError, ValueError):
        summary = build_proxy_pool(
            store,
            read_scored_reference_pool(store),
            settings,
            load_normalizers(store, settings.criterion_names),
            project_tokenizer(store),
        )
    documents = store.path(PROXY_POOL, "documents.parquet")
    return materialized(
        project,
        PROXY_POOL,
        {
            **table_metadata(documents, store.read_schema(documents), summary.n_documents),
            "n_tokens": summary.n_tokens,
            "share_of_pool": summary.share,
            "dagster/uri": str(store.root / PROXY_POOL),
            **cost.metadata(n_documents=summary.n_documents, n_tokens=summary.n_tokens),
        },
    )


@dg.asset(
    group_name=GROUP,
    kinds={"numpy", "parquet"},
    owners=OWNERS,
    code_version=version_of(PARAMETER_SETS, 1),
    automation_condition=PINNED,
)
@faults_in_words
def parameter_sets(project: ProjectResource) -> dg.MaterializeResult:
    """All thetas, drawn by Algorithm 1, and the proxy batches that they are trained in.

    A theta holds the weights alpha (Eq. 1) and lambda, omega, eta, epsilon (Eq. 3) of every domain:
    (N + 4) M numbers; the paper draws 3,000. `parameters.n` sets their number: with more of them,
    those that are there stay the same.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    parameters = write_parameter_sets(store, settings)
    path = store.table_path(PARAMETER_SETS)
    scaled = settings.parameters.scale_max > 1
    entries = parameters.as_features(scaled=scaled)
    ranges = pl.DataFrame(
        {
            "entry": feature_names(settings.criterion_names, settings.domain_names, scaled=scaled),
            "minimum": entries.min(axis=0),
            "median": np.median(entries, axis=0),
            "maximum": entries.max(axis=0),
        }
    )
    return materialized(
        project,
        PARAMETER_SETS,
        {
            **table_metadata(path, store.read_schema(path), len(parameters)),
            "n_proxy_batches": len(batch_names(store, 0)),
            "n_entries_of_theta": ranges.height,
            "ranges": markdown_table(ranges),
            **cost.metadata(),
        },
        path=path,
    )


@dg.asset(
    group_name=GROUP,
    kinds={"numpy", "parquet"},
    owners=OWNERS,
    code_version=version_of(MERGED_RANKS, 1),
    partitions_def=PROXY_BATCHES,
    deps=[proxy_pool, parameter_sets],
    automation_condition=BATCH,
    backfill_policy=_ONE_BY_ONE,
)
@faults_in_words
def merged_ranks(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """Per theta and domain: the largest merged score within omega, and its rank.

    Merged score (Eq. 1) and rank (Eq. 2) of the proxy pool under each theta of the batch, as far as
    the sample depends on them. Made in seconds; there is nothing to look after.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError):
        table = rank_batch(store, settings, context.partition_key)
    path = store.table_path(MERGED_RANKS, context.partition_key)
    return materialized(
        project,
        MERGED_RANKS,
        {
            **table_metadata(path, table.schema, table.height),
            "n_thetas": len(read_batch(store, settings, context.partition_key)),
            **cost.metadata(),
        },
        path=path,
    )


@dg.asset(
    group_name=GROUP,
    kinds={"numpy", "parquet"},
    owners=OWNERS,
    code_version=version_of(SAMPLED_SUBSET, 2),
    partitions_def=PROXY_BATCHES,
    deps=[proxy_pool, parameter_sets, merged_ranks],
    automation_condition=BATCH,
    backfill_policy=_ONE_BY_ONE,
)
@faults_in_words
def sampled_subset(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """Per theta: which documents of the proxy pool, and how many copies.

    The draw of Eq. 3, a function of document id and seed. If samples are much smaller than
    `proxies.training.n_tokens_per_proxy`, proxies read them many times: raise
    `parameters.omega_max`, or the proxy pool.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError):
        table, n_tokens = sample_batch(store, settings, context.partition_key)
    path = store.table_path(SAMPLED_SUBSET, context.partition_key)
    return materialized(
        project,
        SAMPLED_SUBSET,
        {
            **table_metadata(path, table.schema, table.height),
            "mean_documents": table.height / len(n_tokens),
            "mean_tokens": float(n_tokens.mean()),
            "min_tokens": int(n_tokens.min()),
            "max_tokens": int(n_tokens.max()),
            **cost.metadata(n_tokens=int(n_tokens.sum())),
        },
        path=path,
    )


@dg.asset(
    group_name=GROUP,
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    code_version=version_of(PROXY_METRICS, 2),
    partitions_def=PROXY_BATCHES,
    deps=[proxy_pool, sampled_subset, target_sets, tokenizer],
    automation_condition=BATCH,
    backfill_policy=_ONE_BY_ONE,
    pool="training",
    op_tags=TRAINS,
    retry_policy=RETRY_ONCE,
)
@faults_in_words
def proxy_metrics(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """Per theta and target set: the loss of a small language model trained on theta's sample.

    The proxy experiments of the paper (1M parameters, 1B tokens each). While a batch trains, its
    progress and that of the whole swarm are in the log and in the asset's observations. A proxy
    that diverges or has nothing to train on is recorded as failed, with its reason. A batch that
    was killed resumes from its last checkpoint. Click *Materialize*, then *Missing*, to go on with
    the swarm.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    key = context.partition_key
    with clear_errors(MissingOutputError, ValueError):
        before = swarm_progress(store, settings, without=key)
        result = train_batch(store, settings, key, observe_batch_of_swarm(context, before))
    swarm = swarm_progress(store, settings)
    context.log.info(str(swarm))
    metrics = result.metrics
    path = store.table_path(PROXY_METRICS, key)
    failed = metrics.filter(pl.col("status") == "failed")
    trained = metrics.filter(pl.col("status") == "trained")
    epochs = [training.epochs for training in result.trainings]
    losses = {
        target: trained.filter(pl.col("target") == target)["loss_nats"].to_numpy()
        for target in settings.target_names
    }
    return materialized(
        project,
        PROXY_METRICS,
        {
            **table_metadata(path, metrics.schema, metrics.height),
            **{
                f"mean_loss_nats_{target}": float(of_target.mean())
                for target, of_target in losses.items()
                if len(of_target)
            },
            "n_failed": failed["theta_id"].n_unique(),
            "failed": markdown_table(failed.select("theta_id", "reason").unique().sort("theta_id")),
            "mean_epochs": float(np.mean(epochs)),
            "max_epochs": float(np.max(epochs)),
            "repetition": regime_in_words(settings, result.piece_share),
            "share_of_samples_read": result.piece_share,
            "documents_read": int(result.reads["id_hash"].n_unique()),
            "tokens_per_second": result.tokens_per_second,
            "proxies_at_once": result.stack_size,
            "swarm": str(swarm),
            "losses": figure(store, PROXY_METRICS, key, plot_losses(result.trainings, losses)),
            **cost.metadata(),
        },
        path=path,
    )


@dg.asset(
    group_name=GROUP,
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    code_version=version_of(PROXY_EVALUATION, 1),
    deps=[proxy_metrics, proxy_pool, parameter_sets, target_sets, tokenizer],
    automation_condition=PINNED_AFTER_ALL,
    pool="training",
    op_tags=TRAINS,
    retry_policy=RETRY_ONCE,
)
@faults_in_words
def proxy_evaluation(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """The losses of proxies whose weights were kept, on target sets that changed since.

    A new target set is an evaluation of the swarm, and not a new swarm: click *Materialize* here
    instead of training the batches again. Batches whose losses are current cost nothing. Batches
    without weights are named. `proxies.keep_weights_gb` says when weights are kept.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError, ValueError):
        found = evaluate_swarm(store, settings)
        version = losses_version(store, settings)
        weights = swarm_weights_bytes(store, settings)
    context.log.info(found.in_words())
    return materialized(
        project,
        PROXY_EVALUATION,
        {
            "found": found.in_words(),
            "n_batches_evaluated": len(found.evaluated),
            "n_batches_current": len(found.current),
            "n_batches_without_weights": len(found.without_weights),
            "batches_without_weights": ", ".join(found.without_weights) or "none",
            "weights_of_the_swarm_gb": weights / 1e9,
            "weights_are_kept": weights <= settings.proxies.keep_weights_gb * 1e9,
            "dagster/uri": str(store.root / PROXY_EVALUATION),
            **cost.metadata(),
        },
        version=version,
    )


@dg.asset_check(asset=proxy_metrics)
@faults_in_words
def few_proxies_failed(
    context: dg.AssetCheckExecutionContext, project: ProjectResource
) -> dg.AssetCheckResult:
    """Whether the share of failed proxies is at most `proxies.max_failed_share`."""
    settings, store = project.settings, project.store
    metrics = read_evidence(store, settings).metrics
    thetas = metrics.select("theta_id", "status", "reason").unique("theta_id").sort("theta_id")
    failed = thetas.filter(pl.col("status") == "failed")
    share = failed.height / max(thetas.height, 1)
    return dg.AssetCheckResult(
        passed=share <= settings.proxies.max_failed_share,
        description=f"{failed.height} of {thetas.height} proxies failed "
        f"(limit {settings.proxies.max_failed_share:.0%})"
        + (f"; the first because: {failed['reason'][0]}" if failed.height else ""),
        metadata={"failed": markdown_table(failed.head(50)), "share": share},
    )


@dg.asset_check(asset=proxy_metrics)
@faults_in_words
def proxies_are_comparable(project: ProjectResource) -> dg.AssetCheckResult:
    """Whether all proxies were trained in one precision; `auto` chooses it by the machine."""
    found = read_evidence(project.store, project.settings).metrics["precision"].unique().sort()
    return dg.AssetCheckResult(
        passed=len(found) <= 1,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"all proxies were trained in {found[0]}"
        if len(found) == 1
        else f"proxies were trained in {' and in '.join(found)}, on different machines, so that "
        "their losses differ for other reasons than their data: set proxies.training.precision, "
        "and train the proxies of other precisions again",
    )
