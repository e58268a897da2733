"""Keeps which settings every asset was last made with, to name what has changed since.

They lie in the lake, at `settings_of/<asset>.json`: outside the assets' own outputs, whose bytes
do not depend on it.
"""

from typing import Any

from quadmix_assets.outputs import SETTINGS_OF
from quadmix_assets.settings import Settings, assets_with_settings, changed_settings, settings_used
from quadmix_assets.store import Store


def write_settings_of(store: Store, settings: Settings, asset: str) -> None:
    """Record that an asset, or a partition of it, is being made with these settings.

    Raises:
        KeyError: there is no asset of that name.
    """
    store.write_json(store.path(SETTINGS_OF, f"{asset}.json"), settings_used(settings, asset))


def read_settings_of(store: Store, asset: str) -> dict[str, Any] | None:
    """The settings that an asset was last made with, by path; None if nothing is recorded."""
    path = store.path(SETTINGS_OF, f"{asset}.json")
    if not store.exists(path):
        return None
    used: dict[str, Any] = store.read_json(path)
    return used


def changed_since_made(store: Store, settings: Settings) -> dict[str, list[str]]:
    """The settings that were changed since an asset was made with them, in words.

    Returns:
        By asset, in the order of the graph, lines such as `mix.max_breakpoints: 20000 -> 500`;
        assets without changes and assets that were never made are left out.
    """
    found = {}
    for asset in assets_with_settings(settings):
        made_with = read_settings_of(store, asset)
        if made_with is None:
            continue
        changed = changed_settings(made_with, settings_used(settings, asset))
        if changed:
            found[asset] = changed
    return found
