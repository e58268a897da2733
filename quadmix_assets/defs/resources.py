"""The one resource: the settings of the chosen profile and the lake that they name."""

import dagster as dg

from quadmix_assets.outputs import (
    DOMAIN_PROXIES,
    DUPLICATE_SIGNATURES,
    HELD_OUT_SETS,
    NEAR_DUPLICATES,
    PER_SHARD,
)
from quadmix_assets.settings import Settings, chosen_profile, frozen_settings, settings_hash
from quadmix_assets.store import Store


class ProjectResource(dg.ConfigurableResource):
    """The settings of a profile, and the store on its lake, for assets and checks."""

    profile: str

    @property
    def settings(self) -> Settings:
        """The settings as this process, or the one that started it, first read them."""
        return frozen_settings(self.profile)

    @property
    def store(self) -> Store:
        """The lake."""
        settings = self.settings
        return Store(settings.resolve(settings.lake))


# The profile that this process loads its definitions for, and its settings.
PROFILE = chosen_profile()
SETTINGS = frozen_settings(PROFILE)


def version_of(asset: str, number: int) -> str:
    """The code version of an asset: its number, and a hash of the settings that it uses.

    Args:
        asset: the asset's name.
        number: to be raised when equal inputs and settings give other results than before.
    """
    return f"{number}+{settings_hash(SETTINGS, asset)}"


# Settings that the decorators of assets need at import.
OWNERS = [SETTINGS.owner]
FINDS_NEAR_DUPLICATES = SETTINGS.features.near_duplicates.enabled
DUPLICATES = [NEAR_DUPLICATES] if FINDS_NEAR_DUPLICATES else []
HELD_OUT = [HELD_OUT_SETS] if SETTINGS.held_out_sets else []
# What is made of every shard, without its mixes.
SHARD_ASSETS = (*PER_SHARD, *([DUPLICATE_SIGNATURES] if FINDS_NEAR_DUPLICATES else []))
TRAINS_DOMAIN_PROXIES = any(DOMAIN_PROXIES in mix.fitted_on for mix in SETTINGS.mixes)
PLANTED = SETTINGS.corpus.source == "planted"
# All steps of a shard are made in one run. A shard that a neural network reads takes long enough to
# be a run of its own.
SHARDS_PER_RUN = 1 if SETTINGS.features.runs_networks else SETTINGS.automation.shards_per_run
AUTOMATION_ENABLED = SETTINGS.automation.enabled
BUILD_ENABLED = SETTINGS.automation.build
DISCOVERY_SECONDS = SETTINGS.automation.discovery_seconds


@dg.definitions
def resources() -> dg.Definitions:
    """The resource under the name that assets ask for."""
    return dg.Definitions(
        resources={"project": ProjectResource(profile=PROFILE)},
    )
