"""The usual work as jobs, launched from their pages or by schedules."""

import time
from collections.abc import Sequence

import dagster as dg
from dagster._core.execution.backfill import PartitionBackfill
from dagster._core.utils import make_new_backfill_id
from pydantic import Field

from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.resources import SETTINGS, SHARD_ASSETS, ProjectResource
from quadmix_assets.evidence.results import results_path
from quadmix_assets.outputs import (
    CATALOG,
    COMPARISON_TABLE,
    MIX_COMPARISON,
    MIX_MANIFEST,
    REPORT,
    SELECTION_RULE,
    mix_output,
)
from quadmix_assets.settings import assets_of_mixes


def _of_all_mixes(what: str) -> list[str]:
    return [mix_output(mix.name, what) for mix in SETTINGS.mixes]


score_new_shards = dg.define_asset_job(
    "score_new_shards",
    dg.AssetSelection.assets(*SHARD_ASSETS),
    description="Normalizes, scores and labels shards. **Materialize all** on this page offers "
    "the missing ones, the failed ones, or all.",
)
train_swarm = dg.define_asset_job(
    "train_swarm",
    dg.AssetSelection.assets("merged_ranks", "sampled_subset", "proxy_metrics"),
    description="Trains the proxies, one run per batch. **Materialize all** on this page offers "
    "the missing batches, the failed ones, or all. Needs `proxy_pool`, `parameter_sets` and "
    "`target_sets`.",
)
refit_and_search = dg.define_asset_job(
    "refit_and_search",
    dg.AssetSelection.assets("regressor", "optimal_params", "verification", "optimum_check"),
    description="Fits the regressors to all proxies that are trained, searches theta* again, and "
    "measures its candidates and what wins with proxies of their own. Mixes stay as they are until "
    "`make_mixes` is run.",
)
refine = dg.define_asset_job(
    "refine",
    dg.AssetSelection.assets("refinement", "regressor", "optimal_params", "verification"),
    config={"ops": {"refinement": {"config": {"further_rounds": 1}}}},
    description="Trains a further round of proxies, near the optima and where the regressor is "
    "least certain, then fits, searches and measures candidates again. `further_rounds` in the "
    "launchpad says how many.",
)
refresh_reports = dg.define_asset_job(
    "refresh_reports",
    dg.AssetSelection.assets(
        "score_report",
        *_of_all_mixes(MIX_MANIFEST),
        MIX_COMPARISON,
        # Not the comparison by models: where none is measured it fails, and takes REPORT along.
        REPORT,
        CATALOG,
    )
    | dg.AssetSelection.checks(
        *(
            dg.AssetCheckKey(dg.AssetKey.from_user_string(asset), check)
            for asset, check in (
                ("score_normalizers", "normalizers_fit_the_pool"),
                *((rule, "rule_fits_the_pool") for rule in _of_all_mixes(SELECTION_RULE)),
            )
        )
    ),
    description="Makes the score report, the manifests of all mixes, their comparison, the "
    "page and the SQL catalog again, with the checks of the whole pool.",
)


class BackfillConfig(dg.Config):
    """What the launchpad asks for."""

    title: str = Field(
        default="",
        description="a name for the backfill in Runs > Backfills; empty: the job's name",
    )


def submit(context: dg.OpExecutionContext, config: BackfillConfig, assets: list[str]) -> None:
    """Ask the daemon for all partitions of some assets, in order, as "Materialize all" does."""
    # Dagster has no public call for this.
    backfill_id = make_new_backfill_id()
    keys = [dg.AssetKey.from_user_string(asset) for asset in assets]
    context.instance.add_backfill(
        PartitionBackfill.from_asset_partitions(
            backfill_id=backfill_id,
            asset_graph=context.repository_def.asset_graph,
            partition_names=None,
            asset_selection=keys,
            backfill_timestamp=time.time(),
            tags={"quadmix/job": context.job_name},
            dynamic_partitions_store=context.instance,
            all_partitions=True,
            title=config.title or context.job_name,
            description=None,
            run_config=None,
        )
    )
    context.log.info(
        f"requested {', '.join(assets)}: Runs > Backfills > {backfill_id} shows how far it is; the "
        "daemon starts within half a minute"
    )
    context.add_output_metadata(
        {"backfill": dg.MetadataValue.url(f"/runs/b/{backfill_id}"), "n_assets": len(assets)}
    )


@dg.op(description="Requests every asset and every partition, each after what it depends on.")
@faults_in_words
def request_everything(context: dg.OpExecutionContext, config: BackfillConfig) -> None:
    """Request all assets that can be materialised."""
    keys = context.repository_def.asset_graph.materializable_asset_keys
    submit(context, config, sorted(key.to_user_string() for key in keys))


class MixesConfig(BackfillConfig):
    """What the launchpad asks for."""

    mixes: list[str] = Field(
        default_factory=list, description="names of the mixes to make; empty: all of the settings"
    )


def refuse_unknown(mixes: Sequence[str]) -> None:
    """Refuse names that are not those of mixes of the settings.

    Raises:
        dagster.Failure: one is not; there is no retry.
    """
    unknown = sorted(set(mixes) - set(SETTINGS.mix_names))
    if unknown:
        raise dg.Failure(
            f"there is no mix {', '.join(unknown)}; the settings name: "
            f"{', '.join(SETTINGS.mix_names)}",
            allow_retries=False,
        )


@dg.op(description="Requests rule, documents and manifest of mixes, the reports over all of them.")
@faults_in_words
def request_mixes(
    context: dg.OpExecutionContext, config: MixesConfig, project: ProjectResource
) -> None:
    """Request all that is made for the chosen mixes alone, and what shows all mixes."""
    refuse_unknown(config.mixes)
    chosen = [mix for mix in SETTINGS.mixes if not config.mixes or mix.name in config.mixes]
    shown = [MIX_COMPARISON, REPORT, CATALOG]
    # Without any results it can only fail.
    if SETTINGS.evidence.enabled and any(
        results_path(project.store, mix).exists() for mix in SETTINGS.mix_names
    ):
        shown.append(COMPARISON_TABLE)
    submit(context, config, [*assets_of_mixes(SETTINGS, chosen), *shown])


@dg.job(
    description="Materialises the whole graph, from the input to the mixes, as one backfill: what "
    "**Materialize all** on the lineage page does."
)
def build_everything() -> None:
    """The whole graph."""
    request_everything()


@dg.job(
    config={"ops": {"request_mixes": {"config": {"mixes": []}}}},
    description="Makes mixes from the present scores and theta*: fits their rules anew, mixes "
    "every shard, writes the manifests. `mixes` in the launchpad names them, as in "
    "`mixes: [random, top_k]`; by default all are made. Language models and what they reach stay "
    "as they are, because training costs: the job `train_language_models` makes them.",
)
def make_mixes() -> None:
    """Some mixes, or all."""
    request_mixes()


class TidyConfig(dg.Config):
    """What the launchpad asks for."""

    keep_days: int = Field(
        default=3, ge=0, description="days for which evaluations of the automation are kept"
    )


@dg.op(description="Deletes old evaluations of the automation, which Dagster keeps for 30 days.")
@faults_in_words
def purge_evaluations(context: dg.OpExecutionContext, config: TidyConfig) -> None:
    """Delete old evaluations; they are the bulk of an instance that does nothing."""
    storage = context.instance.schedule_storage
    if storage is not None:
        storage.purge_asset_evaluations(before=time.time() - config.keep_days * 86_400)


@dg.job(description="Deletes old records of the automation's ticks from the Dagster instance.")
def tidy_instance() -> None:
    """Housekeeping."""
    purge_evaluations()
