"""Settings of the sensors that notice and process new and changed shards."""

from typing import Annotated

from pydantic import Field

from quadmix_assets.settings.base import PositiveInt, Section, Share


class AutomationSettings(Section):
    """How new and changed shards are noticed and processed automatically."""

    enabled: bool = Field(
        default=True,
        description="whether new and changed shards are followed, and reports kept current, from "
        "the start of the UI on; the switches of the Automation page overrule it",
    )
    build: bool = Field(
        default=False,
        description="whether what is missing (fitted models, proxies, theta*, the mix) is built "
        "without a click, from the start of the UI on; off, because a swarm can train for days",
    )
    discovery_seconds: PositiveInt = Field(
        default=30, description="seconds between two scans of the input folder"
    )
    shards_per_run: PositiveInt = Field(
        default=100,
        description="maximum number of shards per run; a run takes seconds to start, and a killed "
        "run loses its unfinished shards",
    )
    settle_seconds: Annotated[float, Field(ge=0.0)] = Field(
        default=5.0,
        description="seconds for which size and modification time of a new file must not have "
        "changed before it is read: it may be half-written",
    )
    done_marker: str | None = Field(
        default=None,
        description="suffix of the empty file that says that a file is complete, such as `.done` "
        "for `part-1.jsonl.done`; null: files are complete when they have settled",
    )
    max_removed_share: Share = Field(
        default=0.5,
        description="largest share of all shards that is removed from the pool at once when their "
        "files are gone; above it nothing is removed, because a folder may not be mounted",
    )
    shards_per_tick: PositiveInt = Field(
        default=100,
        description="maximum number of missing and changed shards that the backfill schedule "
        "requests per tick",
    )
    backfill_cron: str = Field(
        default="*/5 * * * *",
        description="cron expression of the backfill schedule; it is off until it is switched on",
    )
    search_cron: str = Field(
        default="0 3 * * *",
        description="cron expression of the schedule that fits regressors and searches again; it "
        "is off until it is switched on",
    )
    overview_seconds: PositiveInt = Field(
        default=60, description="seconds between two looks at whether the overview has changed"
    )
