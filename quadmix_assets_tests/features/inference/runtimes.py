"""Runtimes for tests: one CPU thread, local checkpoints."""

from pathlib import Path
from typing import Any

from upath import UPath

from quadmix_assets.features.inference import Runtime
from quadmix_assets.settings import InferenceSettings


def cpu_runtime(checkpoints: Path | None = None, **settings: Any) -> Runtime:
    """A runtime on the CPU, with these settings of `features.inference`."""
    place = None if checkpoints is None else str(checkpoints)
    values = {"device": "cpu", "n_threads": 1, "checkpoints": place, **settings}
    return Runtime(InferenceSettings(**values), UPath)
