"""Materialises the whole graph stage by stage in this process, as a user would in the UI."""

import sys
from collections.abc import Iterator, Sequence

import dagster as dg

from quadmix_assets.corpus.check import check_inputs
from quadmix_assets.corpus.reference_pool import reference_pool_is_current
from quadmix_assets.definitions import defs as load_definitions
from quadmix_assets.defs.discovery import register_shards
from quadmix_assets.defs.event_log import open_event_log
from quadmix_assets.defs.overview import report_overview
from quadmix_assets.defs.resources import ProjectResource
from quadmix_assets.features.scored_reference_pool import scored_reference_pool_is_current
from quadmix_assets.in_process import execute_here
from quadmix_assets.interrupts import Interrupts
from quadmix_assets.outputs import PLANTED_CORPUS, REFERENCE_POOL, SCORED_REFERENCE_POOL, mix_of
from quadmix_assets.partition_ranges import neighbours, range_tags
from quadmix_assets.settings import Settings
from quadmix_assets.stages import Stage, cut_into_stages
from quadmix_assets.staleness import Staleness
from quadmix_assets.store import Store


class _Runner:
    """Materialises stages; what is up to date is left out of them if `resume` is set."""

    def __init__(
        self,
        instance: dg.DagsterInstance,
        definitions: dg.Definitions,
        store: Store,
        settings: Settings,
        *,
        resume: bool,
        interrupts: Interrupts | None = None,
    ) -> None:
        self.instance = instance
        self.interrupts = interrupts or Interrupts()
        self.resume = resume
        self.missed: set[str] = set()
        self.job = definitions.resolve_implicit_global_asset_job_def()
        self.graph = definitions.resolve_asset_graph()
        self.staleness = Staleness(
            instance,
            self.graph,
            {
                REFERENCE_POOL: lambda: reference_pool_is_current(store),
                SCORED_REFERENCE_POOL: lambda: scored_reference_pool_is_current(store),
            },
            (store, settings),
        )

    def run(self, stage: Stage) -> bool:
        """Materialise a stage; return whether the next one can run.

        A mix that cannot be made ends alone: nothing of it is tried any further, nor what depends
        on no other mix; everything else goes on.
        """
        assets = tuple(asset for asset in stage.assets if not self._waits_for_a_missed_mix(asset))
        if not assets:
            return True
        if self.resume:
            # One after the other, since whether an asset is stale depends on what is made before.
            return all(self._bring_up_to_date(asset) for asset in assets)
        keys = self._partitions(assets[0])
        if keys is None:
            return self._execute(assets, None)
        return all(self._execute(assets, part) for part in self._runs(assets, keys))

    def _waits_for_a_missed_mix(self, asset: str) -> bool:
        """Whether an asset needs what was not made: of a mix any of it, of others all of it."""
        node = self.graph.get(dg.AssetKey.from_user_string(asset))
        parents = {key.to_user_string() for key in node.parent_keys}
        of_mixes = {parent for parent in parents if mix_of(parent)}
        missed = of_mixes & self.missed
        waits = bool(missed) if mix_of(asset) else bool(missed) and missed == of_mixes
        if waits:
            self.missed.add(asset)
        return waits

    def _bring_up_to_date(self, asset: str) -> bool:
        if self._waits_for_a_missed_mix(asset):
            return True
        keys = self._partitions(asset)
        if keys is None:
            return not self.staleness.is_stale(asset) or self._execute((asset,), None)
        stale = self.staleness.stale_partitions(asset, keys)
        return all(
            self._execute((asset,), part)
            for stretch in neighbours(keys, stale)
            for part in self._runs((asset,), stretch)
        )

    def _runs(self, assets: Sequence[str], keys: Sequence[str]) -> Iterator[Sequence[str]]:
        """Parts of neighbouring partitions, as many in each as a run of these assets may have."""
        policies = (
            self.graph.get(dg.AssetKey.from_user_string(asset)).backfill_policy for asset in assets
        )
        limits = [policy.max_partitions_per_run for policy in policies if policy]
        size = min((limit for limit in limits if limit), default=len(keys))
        for first in range(0, len(keys), size):
            yield keys[first : first + size]

    def _partitions(self, asset: str) -> Sequence[str] | None:
        """The partitions of an asset in Dagster's order; None for an asset without partitions."""
        definition = self.graph.get(dg.AssetKey.from_user_string(asset)).partitions_def
        if definition is None:
            return None
        return definition.get_partition_keys(dynamic_partitions_store=self.instance)

    def _execute(self, assets: Sequence[str], partitions: Sequence[str] | None) -> bool:
        keys = partitions or ()
        is_range = len(keys) > 1
        self.interrupts.raise_if_received()
        # For the events of the partitions that a run is to make, before its first step.
        with open_event_log(self.instance):
            missed = execute_here(
                self.job,
                self.instance,
                [dg.AssetKey.from_user_string(asset) for asset in assets],
                partition=keys[0] if len(keys) == 1 else None,
                tags=range_tags(keys) if is_range else {},
            )
        # An interrupt has ended the run, or came too late for it to notice.
        self.interrupts.raise_if_received()
        names = {key.to_user_string() for key in missed}
        of_mixes = {name for name in names if mix_of(name)}
        self.missed |= of_mixes
        # What shows all mixes was skipped for the sake of one: without it in the run it goes on.
        skipped = tuple(asset for asset in assets if asset in names - of_mixes)
        if of_mixes and skipped:
            left = tuple(each for each in skipped if not self._waits_for_a_missed_mix(each))
            return not left or self._execute(left, partitions)
        self.missed |= names
        return not skipped


def graph_of(
    definitions: dg.Definitions,
) -> tuple[dict[str, set[str]], dict[str, str | None]]:
    """The assets that can be materialised: per asset its parents, and the name of its partitions.

    Names are keys as users write them, levels separated by slashes. Partitions that the settings
    fix have no name in Dagster; they are named after what they are.
    """
    graph = definitions.resolve_asset_graph()
    keys = graph.materializable_asset_keys
    parents = {
        key.to_user_string(): {p.to_user_string() for p in graph.get(key).parent_keys & keys}
        for key in keys
    }
    partitions: dict[str, str | None] = {}
    for key in keys:
        definition = graph.get(key).partitions_def
        name = definition.name if isinstance(definition, dg.DynamicPartitionsDefinition) else None
        is_static = isinstance(definition, dg.StaticPartitionsDefinition)
        partitions[key.to_user_string()] = "proxy_batch" if is_static else name
    return parents, partitions


def materialize_whole_graph(
    profile: str,
    definitions: dg.Definitions | None = None,
    *,
    resume: bool,
    interrupts: Interrupts | None = None,
) -> bool:
    """Materialise every asset and every partition; return whether all mixes were made.

    Shards that cannot be used are set aside and reported by checks, and a mix that cannot be made
    is left out with what depends on it alone; the others go on.

    Args:
        profile: the name or the path of the settings.
        definitions: of the profile; None: they are loaded.
        resume: leave out what is neither missing nor stale.
        interrupts: of this process; None if nobody looks out for them.

    Raises:
        SettingsError: an input is missing; raised before anything is materialised.
        KeyboardInterrupt: the process was interrupted; what was made stays.
    """
    project = ProjectResource(profile=profile)
    settings, store = project.settings, project.store
    if settings.corpus.source == "files":
        check_inputs(settings, store)
    definitions = definitions or load_definitions()
    with dg.DagsterInstance.get() as instance:
        register_shards(instance, settings, store)
        runner = _Runner(
            instance, definitions, store, settings, resume=resume, interrupts=interrupts
        )
        try:
            for stage in cut_into_stages(*graph_of(definitions)):
                if not runner.run(stage):
                    return False
                if PLANTED_CORPUS in stage.assets:
                    register_shards(instance, settings, store)
        finally:
            # Whoever interrupts does not wait for it; the next run writes it.
            if runner.interrupts.received() is None:
                report_overview(instance, runner.graph, settings, store)
    if runner.missed:
        mixes = sorted({found[0] for found in map(mix_of, runner.missed) if found})
        sys.stderr.write(
            f"not made, for the reasons above: {', '.join(mixes)}. `quadmix run --resume` tries "
            "again\n"
        )
    return not runner.missed
