"""What the steps of assets ask a Ray cluster for, as tags that mean nothing without one."""

import json

from quadmix_assets.defs.resources import SETTINGS
from quadmix_assets.settings import NeedsSettings

TAG = "dagster-ray/config"


def _tags(needs: NeedsSettings) -> dict[str, str]:
    asked = {"num_cpus": needs.cpus, "num_gpus": needs.gpus, "memory": needs.memory_bytes}
    return {TAG: json.dumps({name: value for name, value in asked.items() if value is not None})}


_RAY = SETTINGS.execution.ray
SCORES = _tags(_RAY.scoring)
TRAINS = _tags(_RAY.training)
TRAINS_LANGUAGE_MODEL = _tags(_RAY.language_models)
