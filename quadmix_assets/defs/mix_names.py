"""Keys and groups of the assets of a mix."""

import dagster as dg

from quadmix_assets.outputs import mix_output
from quadmix_assets.settings import NamedMix


def mix_key(mix: NamedMix, what: str) -> dg.AssetKey:
    """The key of an asset of a mix: `mixes/<name>/<what>`."""
    return dg.AssetKey.from_user_string(mix_output(mix.name, what))


def group_of(mix: NamedMix) -> str:
    """The group of the assets of a mix."""
    return f"mix_{mix.name}"
