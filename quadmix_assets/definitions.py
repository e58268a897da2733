"""The entry point of the code location: loads everything in `defs/`."""

from pathlib import Path

import dagster as dg

from quadmix_assets.settings import frozen_settings


@dg.definitions
def defs() -> dg.Definitions:
    """The whole asset graph, for the profile that QUADMIX_PROFILE names (the demo by default)."""
    frozen_settings()  # Report a wrong setting as one clear error before any work starts.
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
