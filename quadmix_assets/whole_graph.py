"""Materialises the whole graph stage by stage in this process, as the UI's clicks would."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import dagster as dg

from quadmix_assets.corpus.inputs import check_inputs, discover_inputs
from quadmix_assets.definitions import defs as load_definitions
from quadmix_assets.defs.automation import observation
from quadmix_assets.defs.resources import ProjectResource
from quadmix_assets.outputs import PLANTED_CORPUS
from quadmix_assets.proxies.parameter_sets import n_rounds, round_of
from quadmix_assets.search.fit import regressors_are_up_to_date

_RANGE_START = "dagster/asset_partition_range_start"
_RANGE_END = "dagster/asset_partition_range_end"


@dataclass(frozen=True)
class Stage:
    """Assets that are materialised by one run (or one run per range of partitions).

    What is made of theta* counts as materialised only while it is newer than theta*.
    """

    assets: tuple[str, ...]
    partitions: Literal["shard", "proxy_batch"] | None = None
    of_theta_star: bool = False


RAW_SHARDS_STAGE = Stage(("raw_shards",), "shard")
STAGES = (
    RAW_SHARDS_STAGE,
    Stage(("tokenizer", "target_sets", "fitted_models")),
    Stage(("target_overlap", "scored_shards", "domain_labels"), "shard"),
    Stage(("score_normalizers", "proxy_pool", "parameter_sets")),
    Stage(("score_report",)),
    Stage(("merged_ranks", "sampled_subset", "proxy_metrics"), "proxy_batch"),
    Stage(("regressor", "optimal_params")),
)
PROXY_STAGE, SEARCH_STAGE = STAGES[-2:]
REFINEMENT_STAGE = Stage(("refinement",))
MIX_STAGES = (
    Stage(("optimum_check",), of_theta_star=True),
    Stage(("rank_calibration",), of_theta_star=True),
    Stage(("final_mix",), "shard", of_theta_star=True),
    Stage(("mix_manifest", "random_comparison"), of_theta_star=True),
)


class _Runner:
    def __init__(self, instance: dg.DagsterInstance, profile: str, *, resume: bool) -> None:
        self.instance = instance
        self.run_config = {
            "resources": {"project": {"config": {"profile": profile}}},
            "loggers": {"console": {"config": {}}},
        }
        self.resume = resume
        self.job = load_definitions().resolve_implicit_global_asset_job_def()

    def run(self, stage: Stage) -> bool:
        """Materialise a stage; whether what follows can go on."""
        if stage.partitions is None:
            return (self.resume and self._is_done(stage)) or self._execute(stage)
        registered = list(self.instance.get_dynamic_partitions(stage.partitions))
        wanted = self._wanted(stage, set(registered))
        size = 1 if stage.partitions == "proxy_batch" else max(len(wanted), 1)
        for start, end in _ranges(registered, wanted, size):
            if not self._execute(stage, start, end):
                return False
        # A shard that failed alone is left out from here on; without any there is no going on.
        return bool(self._materialized(stage.assets))

    def search(self) -> bool:
        """Fit regressors and search, whether that was done before or not."""
        return self._execute(SEARCH_STAGE)

    def refine(self, number: int) -> bool:
        """Propose and train a further round of proxies, and search again."""
        proposed = self._execute(REFINEMENT_STAGE)
        keys = [
            key
            for key in self.instance.get_dynamic_partitions("proxy_batch")
            if round_of(key) == number
        ]
        return (
            proposed and all(self._execute(PROXY_STAGE, key, key) for key in keys) and self.search()
        )

    def _wanted(self, stage: Stage, registered: set[str]) -> set[str]:
        wanted = set(registered)
        if stage.partitions == "shard" and stage.assets != RAW_SHARDS_STAGE.assets:
            wanted &= self._materialized(RAW_SHARDS_STAGE.assets)
        if not self.resume:
            return wanted
        return wanted - self._materialized(stage.assets, self._oldest_that_counts(stage))

    def _is_done(self, stage: Stage) -> bool:
        oldest = self._oldest_that_counts(stage)
        return all(self._last(asset) > oldest for asset in stage.assets)

    def _oldest_that_counts(self, stage: Stage) -> int:
        """The event in the instance's log that a materialisation has to come after."""
        return self._last("optimal_params") if stage.of_theta_star else 0

    def _last(self, asset: str) -> int:
        """The number of an asset's last materialisation in the instance's log; 0 if it has none."""
        records = self.instance.fetch_materializations(dg.AssetKey(asset), limit=1).records
        return records[0].storage_id if records else 0

    def _materialized(self, assets: Iterable[str], oldest: int = 0) -> set[str]:
        """Partitions of which every asset was materialised after the event `oldest`."""
        last = (
            self.instance.get_latest_storage_id_by_partition(
                dg.AssetKey(asset), dg.DagsterEventType.ASSET_MATERIALIZATION
            )
            for asset in assets
        )
        return set.intersection(
            *({key for key, number in of_key.items() if number > oldest} for of_key in last)
        )

    def _execute(self, stage: Stage, start: str | None = None, end: str | None = None) -> bool:
        result = self.job.execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(asset) for asset in stage.assets],
            run_config=self.run_config,
            partition_key=start if start == end else None,
            tags={_RANGE_START: start, _RANGE_END: end} if start and end and start != end else {},
            raise_on_error=False,
        )
        # Shards that cannot be read fail alone and are left out from here on; a blocking check
        # that failed stops everything.
        blocked = any(
            check.blocking and not check.passed and check.severity == dg.AssetCheckSeverity.ERROR
            for check in result.get_asset_check_evaluations()
        )
        return result.success or (stage == RAW_SHARDS_STAGE and not blocked)


def materialize_whole_graph(profile: str, *, resume: bool) -> bool:
    """Materialise every asset and every partition; whether a final mix came out.

    Shards that cannot be read are left out and reported by their runs; the others go on.

    Args:
        profile: the name or the path of the settings.
        resume: leave out what is materialised already.

    Raises:
        SettingsError: an input is missing; nothing has been done then.
    """
    project = ProjectResource(profile=profile)
    settings, store = project.settings, project.store
    if settings.corpus.source == "files":
        check_inputs(settings, store)
    with dg.DagsterInstance.get() as instance:
        runner = _Runner(instance, profile, resume=resume)
        if settings.corpus.source == "planted" and not runner.run(Stage((PLANTED_CORPUS,))):
            return False
        shards = discover_inputs(settings, store).shards
        instance.add_dynamic_partitions("shard", [shard.key for shard in shards])
        for shard in shards:
            instance.report_runless_asset_event(observation(shard))
        if not all(runner.run(stage) for stage in STAGES):
            return False
        behind = resume and not regressors_are_up_to_date(store, settings)
        if behind and not runner.search():
            return False
        for number in range(n_rounds(store), settings.search.refine.rounds):
            if not runner.refine(number + 1):
                return False
        return all(runner.run(stage) for stage in MIX_STAGES)


def _ranges(registered: list[str], wanted: set[str], size: int) -> Iterable[tuple[str, str]]:
    """The wanted partitions as ranges of neighbours in the order in which Dagster knows them."""
    numbers = [number for number, key in enumerate(registered) if key in wanted]
    for _, group in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        for first in range(0, len(run), size):
            part = run[first : first + size]
            yield registered[part[0]], registered[part[-1]]
