"""Temporary."""

from quadmix_assets.corpus.inputs import discover_inputs
from quadmix_assets.defs.automation import observation


def register_shards(instance, settings, store):
    try:
        shards = discover_inputs(settings, store).shards
    except FileNotFoundError:
        return
    instance.add_dynamic_partitions("shard", [shard.key for shard in shards])
    for shard in shards:
        instance.report_runless_asset_event(observation(shard))
