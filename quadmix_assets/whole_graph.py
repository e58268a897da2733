"""Materialises the whole graph stage by stage in this process, as a user would in the UI."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import dagster as dg

from quadmix_assets.corpus.check import check_inputs
from quadmix_assets.corpus.inputs import discover_inputs
from quadmix_assets.definitions import defs as load_definitions
from quadmix_assets.defs.automation import observation
from quadmix_assets.defs.partitions import PROXY_BATCHES
from quadmix_assets.defs.resources import ProjectResource
from quadmix_assets.outputs import OPTIMAL_PARAMS, PLANTED_CORPUS, RAW_SHARDS
from quadmix_assets.stages import Stage, cut_into_stages, descendants

PROXY_BATCH = "proxy_batch"
_RANGE_START = "dagster/asset_partition_range_start"
_RANGE_END = "dagster/asset_partition_range_end"


class _Runner:
    def __init__(self, instance: dg.DagsterInstance, profile: str, *, resume: bool) -> None:
        self.instance = instance
        self.run_config = {
            "resources": {"project": {"config": {"profile": profile}}},
            "loggers": {"console": {"config": {}}},
        }
        self.resume = resume
        definitions = load_definitions()
        self.job = definitions.resolve_implicit_global_asset_job_def()
        self.parents, partitions = graph_of(definitions)
        self.stages = cut_into_stages(self.parents, partitions)
        self.made_with_theta_star = descendants(self.parents, OPTIMAL_PARAMS)

    def run(self, stage: Stage) -> bool:
        """Materialise a stage; return whether the next stages can run."""
        if stage.partitions is None:
            done = {asset for asset in stage.assets if self._is_done(asset)}
            assets = self._to_make(stage, done)
            return not assets or self._execute(assets)
        registered = self._partition_keys(stage.partitions)
        wanted = self._to_make_by_partition(stage, registered)
        size = 1 if stage.partitions == PROXY_BATCH else len(registered)
        for start, end, assets in _ranges(registered, wanted, size):
            if not self._execute(assets, start, end):
                return False
        # Shards that failed are left out from here on; if none is left, the run ends.
        return bool(set.intersection(*(self._done_partitions(asset, 0) for asset in stage.assets)))

    def _partition_keys(self, partitions: str) -> list[str]:
        if partitions == PROXY_BATCH:
            return list(PROXY_BATCHES.get_partition_keys())
        return list(self.instance.get_dynamic_partitions(partitions))

    def _to_make(self, stage: Stage, done: set[str]) -> tuple[str, ...]:
        """The assets of a stage to materialise: those not `done`, and those that depend on them."""
        if not self.resume:
            return stage.assets
        assets: list[str] = []
        for asset in stage.assets:
            if asset not in done or not self.parents[asset].isdisjoint(assets):
                assets.append(asset)
        return tuple(assets)

    def _to_make_by_partition(
        self, stage: Stage, registered: Sequence[str]
    ) -> dict[str, tuple[str, ...]]:
        """The assets to materialise per registered partition; shards that failed are left out."""
        done = {
            asset: self._done_partitions(asset, self._oldest_that_counts(asset))
            for asset in stage.assets
        }
        wanted = set(registered)
        if stage.partitions == "shard" and RAW_SHARDS not in stage.assets:
            wanted &= self._done_partitions(RAW_SHARDS, 0)
        return {
            key: self._to_make(stage, {asset for asset in stage.assets if key in done[asset]})
            for key in registered
            if key in wanted
        }

    def _is_done(self, asset: str) -> bool:
        return self._last(asset) > self._oldest_that_counts(asset)

    def _oldest_that_counts(self, asset: str) -> int:
        """The event of the instance's log after which a materialisation is up to date."""
        return self._last(OPTIMAL_PARAMS) if asset in self.made_with_theta_star else 0

    def _last(self, asset: str) -> int:
        """The number of an asset's last materialisation in the instance's log; 0 if it has none."""
        records = self.instance.fetch_materializations(
            dg.AssetKey.from_user_string(asset), limit=1
        ).records
        return records[0].storage_id if records else 0

    def _done_partitions(self, asset: str, oldest: int) -> set[str]:
        """Partitions of an asset that were materialised after the event `oldest`."""
        last = self.instance.get_latest_storage_id_by_partition(
            dg.AssetKey.from_user_string(asset), dg.DagsterEventType.ASSET_MATERIALIZATION
        )
        return {key for key, number in last.items() if number > oldest}

    def _execute(
        self, assets: Sequence[str], start: str | None = None, end: str | None = None
    ) -> bool:
        result = self.job.execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey.from_user_string(asset) for asset in assets],
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
        return result.success or (RAW_SHARDS in assets and not blocked)


def graph_of(
    definitions: dg.Definitions,
) -> tuple[dict[str, set[str]], dict[str, str | None]]:
    """The assets that can be materialised: per asset its parents, and the name of its partitions.

    Names are keys as users write them, levels separated by slashes.
    """
    graph = definitions.resolve_asset_graph()
    keys = graph.materializable_asset_keys
    parents = {
        key.to_user_string(): {p.to_user_string() for p in graph.get(key).parent_keys & keys}
        for key in keys
    }
    partitions = {}
    for key in keys:
        partitions[key.to_user_string()] = _name_of(graph.get(key).partitions_def)
    return parents, partitions


def _name_of(definition: dg.PartitionsDefinition[str] | None) -> str | None:
    """Static partitions have no name of their own."""
    if definition == PROXY_BATCHES:
        return PROXY_BATCH
    return definition.name if isinstance(definition, dg.DynamicPartitionsDefinition) else None


def materialize_whole_graph(profile: str, *, resume: bool) -> bool:
    """Materialise every asset and every partition; return whether a final mix was made.

    Shards that cannot be read are left out and reported by their runs; the others go on.

    Args:
        profile: the name or the path of the settings.
        resume: leave out what is materialised already.

    Raises:
        SettingsError: an input is missing; raised before anything is materialised.
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
        if not all(runner.run(stage) for stage in runner.stages.until_search):
            return False
        return all(runner.run(stage) for stage in runner.stages.after_search)


def _ranges(
    registered: Sequence[str], wanted: Mapping[str, tuple[str, ...]], size: int
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Ranges of adjacent partitions that need the same assets: first and last partition, assets.

    Args:
        registered: all partitions in the order in which Dagster knows them.
        wanted: per partition the assets to materialise; a partition may be absent.
        size: the most partitions in a range.
    """
    for assets, group in groupby(registered, lambda key: wanted.get(key, ())):
        if not assets:
            continue
        keys = list(group)
        for first in range(0, len(keys), size):
            part = keys[first : first + size]
            yield part[0], part[-1], assets
