"""The entry point of the code location: loads everything in `defs/`."""

from pathlib import Path

import dagster as dg

# A wrong setting is reported here, as one clear error before any work starts.
from quadmix_assets.defs.described import with_settings
from quadmix_assets.defs.executor import steps_in_processes
from quadmix_assets.defs.ray_executor import steps_on_ray
from quadmix_assets.defs.resources import SETTINGS


@dg.definitions
def defs() -> dg.Definitions:
    """The whole asset graph, for the profile that QUADMIX_PROFILE names (the demo by default)."""
    loaded = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    # An asset is in the list once for every module that imports it.
    assets = {
        id(asset): asset
        for asset in loaded.assets or ()
        if isinstance(asset, dg.AssetsDefinition | dg.AssetSpec)
    }
    return dg.Definitions(
        assets=dg.map_asset_specs(with_settings(), assets.values()),
        asset_checks=loaded.asset_checks,
        jobs=loaded.jobs,
        schedules=loaded.schedules,
        sensors=loaded.sensors,
        resources=loaded.resources,
        loggers=loaded.loggers,
        executor=steps_on_ray if SETTINGS.execution.engine == "ray" else steps_in_processes,
    )
