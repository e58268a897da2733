"""`quadmix versions`: lists the kept versions of mixes, and removes them."""

import sys

from quadmix_assets.mix.version_table import version_table
from quadmix_assets.mix.versions import (
    Version,
    find_version,
    list_versions,
    mixes_with_versions,
    remove_version,
)
from quadmix_assets.report.blocks import Block, blocks_text
from quadmix_assets.store import MissingOutputError, Store

_MEGABYTE = 1e6


def versions_to_terminal(store: Store, mix: str | None, remove: str | None, *, dry: bool) -> int:
    """Print the kept versions of a mix or of all mixes, or remove one.

    Args:
        store: the lake.
        mix: its name; None: all mixes.
        remove: the first digits of a version that is removed; None: they are listed.
        dry: only say what removing it would free.

    Returns:
        The exit status: 0, or 2 for a version that cannot be removed.

    Raises:
        MissingOutputError: there is no such mix or version.
    """
    known = mixes_with_versions(store)
    if mix is not None and mix not in known:
        raise MissingOutputError(
            f"the mix {mix!r} has no kept versions; mixes with versions: "
            f"{', '.join(known) or 'none'}"
        )
    if remove is None:
        sys.stdout.write(_listed(store, [mix] if mix is not None else known))
        return 0
    if mix is None:
        sys.stderr.write("name the mix too: quadmix versions MIX --remove VERSION\n")
        return 2
    return _remove(store, mix, find_version(store, mix, remove), dry=dry)


def _listed(store: Store, mixes: list[str]) -> str:
    versions = [version for mix in mixes for version in list_versions(store, mix)]
    if not versions:
        return "no version of a mix is kept: materialise the mix_manifest of a mix\n"
    title = "kept versions of mixes; own MB is what removing one frees"
    return blocks_text([Block(title, table=version_table(versions))])


def _remove(store: Store, mix: str, version: str, *, dry: bool) -> int:
    if dry:
        found = next(each for each in list_versions(store, mix) if each.version == version)
        sys.stdout.write(f"{_would(found)}\n")
        return 0
    try:
        freed = remove_version(store, mix, version)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"removed {mix}@{version}, {freed / _MEGABYTE:,.2f} MB freed\n")
    return 0


def _would(version: Version) -> str:
    name = f"{version.mix}@{version.version}"
    if version.is_present:
        return f"{name} is what the mix is now, and cannot be removed"
    return f"removing {name} would free {version.n_bytes_own / _MEGABYTE:,.2f} MB"
