"""Removes the oldest kept versions of a mix."""

from quadmix_assets.mix.versions import list_headers, remove_version
from quadmix_assets.store import Store


def prune_versions(store: Store, mix: str, n_kept: int | None) -> dict[str, int]:
    """Remove all but the newest versions of a mix; what the mix is now always stays.

    Args:
        store: the lake.
        mix: its name.
        n_kept: how many versions are kept, what the mix is now among them; None: all.

    Returns:
        The bytes that were freed, by the version that was removed, the newest first.
    """
    if n_kept is None:
        return {}
    # By the time when they were first kept: a mix that is what it was before is an old version.
    others = [header.version for header in list_headers(store, mix) if not header.is_present]
    return {version: remove_version(store, mix, version) for version in others[n_kept - 1 :]}
