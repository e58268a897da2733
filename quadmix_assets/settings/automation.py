"""Settings of what happens without a click."""

from pydantic import Field

from quadmix_assets.settings.base import PositiveInt, Section


class AutomationSettings(Section):
    """How new and changed shards are noticed and processed automatically."""

    enabled: bool = Field(
        default=True, description="whether the sensors run from the start of the UI on"
    )
    cron: str = Field(
        default="* * * * *",
        description="when missing and changed shards are requested, as a cron expression; every "
        "minute, so that they hardly wait",
    )
    discovery_seconds: PositiveInt = Field(
        default=30, description="seconds between two looks at the input folder"
    )
    shards_per_run: PositiveInt = Field(
        default=100,
        description="shards that one run processes, at most; a run costs seconds to start, and "
        "loses what is unfinished when it is killed",
    )
