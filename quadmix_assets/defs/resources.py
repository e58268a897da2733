"""The one resource: the settings of the chosen profile and the lake that they name."""

import os

import dagster as dg

from quadmix_assets.settings import DEFAULT_PROFILE, PROFILE_VARIABLE, Settings, load_settings
from quadmix_assets.store import Store


class ProjectResource(dg.ConfigurableResource):
    """The settings of a profile, and the store on its lake, for assets and checks."""

    profile: str

    @property
    def settings(self) -> Settings:
        """The settings, read at every access: a changed profile applies from the next step on."""
        return load_settings(self.profile)

    @property
    def store(self) -> Store:
        """The lake."""
        settings = self.settings
        return Store(settings.resolve(settings.lake))


def chosen_profile() -> str:
    """The profile that this process works with."""
    return os.environ.get(PROFILE_VARIABLE) or DEFAULT_PROFILE


# Settings that the decorators of assets need at import.
SETTINGS = load_settings(chosen_profile())
OWNERS = [SETTINGS.owner]
PLANTED = SETTINGS.corpus.source == "planted"
SHARDS_PER_RUN = SETTINGS.automation.shards_per_run
# A shard that a neural network reads takes long enough to be a run of its own.
SCORING_SHARDS_PER_RUN = 1 if SETTINGS.features.runs_networks else SHARDS_PER_RUN
CRON = SETTINGS.automation.cron
AUTOMATION_ENABLED = SETTINGS.automation.enabled
DISCOVERY_SECONDS = SETTINGS.automation.discovery_seconds


@dg.definitions
def resources() -> dg.Definitions:
    """The resource under the name that assets ask for."""
    return dg.Definitions(
        resources={"project": ProjectResource(profile=chosen_profile())},
    )
