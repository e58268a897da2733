"""How the steps of a run are started: each in a process of its own, forked from a prepared one."""

import pkgutil
from collections.abc import Mapping
from typing import Any

import dagster as dg

from quadmix_assets.settings.load import PACKAGE

# A fresh process would spend seconds on importing Dagster and this package, which is more than
# most steps need for their work. The prepared process imports these modules and runs nothing, so
# that it has no threads that a fork could break.
_PREPARED = [
    "quadmix_assets.definitions",
    *(f"quadmix_assets.defs.{found.name}" for found in pkgutil.iter_modules([PACKAGE / "defs"])),
]


@dg.configured(
    dg.multiprocess_executor,
    config_schema={
        "max_concurrent": dg.Field(
            dg.Noneable(int),
            default_value=None,
            description="steps of a run at the same time; null: as many as there are cores",
        )
    },
)
def steps_in_processes(config: Mapping[str, Any]) -> dict[str, Any]:
    """The executor of all jobs: one process per step."""
    return {
        "max_concurrent": config["max_concurrent"],
        "start_method": {"forkserver": {"preload_modules": _PREPARED}},
    }
