"""Adds to every asset's page the settings that it depends on, and which have changed."""

from collections.abc import Callable

import dagster as dg

from quadmix_assets.defs.materialized import settings_table
from quadmix_assets.defs.resources import SETTINGS
from quadmix_assets.report.settings_of import changed_since_made
from quadmix_assets.settings import assets_with_settings
from quadmix_assets.store import Store


def with_settings() -> Callable[[dg.AssetSpec], dg.AssetSpec]:
    """A function that completes the definition of an asset.

    The UI says "Unsynced" of an asset whose settings have changed, but not which; the description
    names them, as they were found when the definitions were loaded.
    """
    changed, known = _changed(), assets_with_settings(SETTINGS)

    def complete(spec: dg.AssetSpec) -> dg.AssetSpec:
        asset = spec.key.to_user_string()
        if asset not in known:
            return spec
        completed = spec.merge_attributes(
            metadata={"settings now": settings_table(SETTINGS, asset)}
        )
        if asset in changed:
            completed = completed.replace_attributes(
                description=f"{spec.description}\n\n{_notice(changed[asset])}"
            )
        return completed

    return complete


def _changed() -> dict[str, list[str]]:
    store = Store(SETTINGS.resolve(SETTINGS.lake))
    try:
        return changed_since_made(store, SETTINGS)
    except OSError:
        return {}  # The lake cannot be reached from here; steps say so where it matters.


def _notice(changes: list[str]) -> str:
    lines = "\n".join(f"- `{change}`" for change in changes)
    return (
        "**Settings that had changed since this was last made, when the definitions were loaded** "
        f"(Reload definitions looks again):\n\n{lines}"
    )
