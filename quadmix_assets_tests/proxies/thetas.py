"""Settings of a project with 10 thetas in three batches and two target sets."""

from pathlib import Path
from typing import Any

from quadmix_assets.settings import Settings, load_settings
from quadmix_assets_tests.conftest import write_profile

BATCHES = ["batch-00000", "batch-00001", "batch-00002"]
TARGETS = [{"name": "planted"}, {"name": "other"}]


def make_settings(folder: Path, **changes: Any) -> Settings:
    proxies = {"batch_size": 4, **changes.pop("proxies", {})}
    parameters = {"n": 10, "omega_max": 0.5, **changes.pop("parameters", {})}
    sections = {"targets": TARGETS, "parameters": parameters, "proxies": proxies, **changes}
    return load_settings(write_profile(folder, **sections))
