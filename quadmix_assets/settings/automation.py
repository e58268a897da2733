"""Settings of the sensors that notice and process new and changed shards."""

from pydantic import Field

from quadmix_assets.settings.base import PositiveInt, Section


class AutomationSettings(Section):
    """How new and changed shards are noticed and processed automatically."""

    enabled: bool = Field(default=True, description="whether the sensors are on when the UI starts")
    cron: str = Field(
        default="* * * * *",
        description="cron expression: when the partitions of missing and changed shards are "
        "requested; every minute, so that they wait briefly",
    )
    discovery_seconds: PositiveInt = Field(
        default=30, description="seconds between two scans of the input folder"
    )
    shards_per_run: PositiveInt = Field(
        default=100,
        description="maximum number of shards per run; a run takes seconds to start, and a killed "
        "run loses its unfinished shards",
    )
