"""Settings that a process and its children share, whatever becomes of the profile's file meanwhile.

Dagster loads the definitions in one process and executes runs and their steps in children of it.
The first to ask keeps the text of the profile in its environment, which children inherit: a run
uses the settings that it started with. A reload of the code location starts a process without that
variable, which reads the file again.
"""

import json
import os
from pathlib import Path

from quadmix_assets.settings.load import (
    FROZEN_VARIABLE,
    ProfileText,
    chosen_profile,
    load_settings,
    read_profile,
    settings_of,
)
from quadmix_assets.settings.root import Settings


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
        return settings_of(
            ProfileText(Path(frozen["path"]), Path(frozen["root"]), text=frozen["text"])
        )
    read = read_profile(asked)
    settings = settings_of(read)
    os.environ[FROZEN_VARIABLE] = json.dumps(
        {"profile": asked, "path": str(read.path), "root": str(read.root), "text": read.text}
    )
    return settings
