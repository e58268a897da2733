"""Settings that a process and its children share, whatever becomes of the profile's file meanwhile.

Dagster loads the definitions in one process and executes runs and their steps in children of it.
The first to ask keeps the text of the profile in its environment, which children inherit: a run
uses the settings that it started with. A reload of the code location starts a process without that
variable, which reads the file again.
"""

import json
import os
from functools import lru_cache
from pathlib import Path

from quadmix_assets.settings.load import (
    FROZEN_VARIABLE,
    ProfileText,
    chosen_profile,
    load_settings,
    read_profile,
    settings_of,
)
from quadmix_assets.settings.root import OVERRIDE_PREFIX, Settings


def frozen_settings(profile: str | Path | None = None) -> Settings:
    """The settings of a profile as they were when this process, or one it descends from, first
    asked for settings.

    Environment variables that override single keys apply as in `load_settings`. A process keeps one
    profile, that of the first call; any other is read from its file at every call.

    Args:
        profile: as for `load_settings`.

    Raises:
        SettingsError: as `load_settings`; nothing is kept then.
    """
    asked = chosen_profile(profile)
    kept = os.environ.get(FROZEN_VARIABLE)
    if kept is not None:
        frozen = json.loads(kept)
        if frozen["profile"] != asked:
            return load_settings(asked)
        return _settings_of(
            ProfileText(Path(frozen["path"]), Path(frozen["root"]), frozen["text"]), _overrides()
        )
    read = read_profile(asked)
    settings = _settings_of(read, _overrides())
    os.environ[FROZEN_VARIABLE] = json.dumps(
        {"profile": asked, "path": str(read.path), "root": str(read.root), "text": read.text}
    )
    return settings


def _overrides() -> tuple[tuple[str, str], ...]:
    """What the environment says of settings."""
    found = (pair for pair in os.environ.items() if pair[0].startswith(OVERRIDE_PREFIX))
    return tuple(sorted(pair for pair in found if pair[0] != FROZEN_VARIABLE))


# Assets ask several times per step, and validation takes longer than a small shard.
@lru_cache(maxsize=1)
def _settings_of(read: ProfileText, overrides: tuple[tuple[str, str], ...]) -> Settings:
    """The settings of a profile, which stay the same as long as its text and the overrides do."""
    return settings_of(read)
