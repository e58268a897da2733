"""Verifies every file of a lake by its full hash, in parallel."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from upath import UPath

from quadmix_assets.outputs import asset_folder
from quadmix_assets.store.cards import carded_name, delete_carded
from quadmix_assets.store.errors import DamagedOutputError, MissingOutputError
from quadmix_assets.store.listings import (
    LISTING_FILE,
    Listing,
    file_names,
    is_in_version,
    read_listing,
)
from quadmix_assets.store.outputs_in import (
    listed_hash,
    looks_like_output,
    named_outputs,
    output_hash,
)
from quadmix_assets.store.temporaries import is_temporary

# Called with the number of files and bytes that are done, and of all.
Tell = Callable[[int, int, int, int], None]


@dataclass
class LakeReport:
    """What a verification has found; paths are relative to the lake.

    Attributes:
        n_files, n_bytes: of the outputs that were read.
        damaged: files that are not what was written, and what differs.
        unreadable: files that cannot be read, and the system's reason.
        missing: files whose card or listing is there, and they are not.
        unchecked: files that are called like outputs and have no checksum.
        strangers: files that are no outputs; nothing reads them.
        incomplete: folders on object storage that are being written, or whose writer was killed.
    """

    n_files: int = 0
    n_bytes: int = 0
    damaged: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether every output is what was written."""
        wrong = (self.damaged, self.unreadable, self.missing, self.unchecked, self.incomplete)
        return not any(wrong)


@dataclass(frozen=True)
class _Output:
    """A file to verify: its path in the lake, its bytes, and what computes its verified hash."""

    name: str
    n_bytes: int
    verify: Callable[[], str]


def verify_lake(root: UPath, tell: Tell, unread: frozenset[str] = frozenset()) -> LakeReport:
    """Read every output of a lake, and compare it with its checksums.

    Args:
        root: the lake.
        tell: called after every file.
        unread: folders, and files as paths, of the lake that are no outputs, such as training
            curves and locks.
    """
    report = LakeReport()
    outputs: list[_Output] = []
    for folder, names in sorted(_by_folder(root, unread).items()):
        outputs += _outputs_of(root, folder, names, report)
    n_all = sum(output.n_bytes for output in outputs)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # In order, so that equal lakes give equal reports.
        for output, error in zip(outputs, pool.map(_error_of, outputs), strict=True):
            report.n_files += 1
            report.n_bytes += output.n_bytes
            if isinstance(error, DamagedOutputError) and not error.has_checksum:
                report.unchecked.append(output.name)
            elif isinstance(error, DamagedOutputError):
                report.damaged[output.name] = error.found
            elif isinstance(error, FileNotFoundError):
                report.missing.append(output.name)
            elif error is not None:
                report.unreadable[output.name] = str(error)
            tell(report.n_files, report.n_bytes, len(outputs), n_all)
    return report


def delete_damaged(root: UPath, report: LakeReport) -> list[str]:
    """Delete what is damaged, so that it counts as missing; return the paths in the lake.

    A folder that is written as a whole is deleted as a whole.
    """
    deleted = set()
    for name in report.damaged:
        whole = next(
            (each for each in _folders_of(name) if (root / each / LISTING_FILE).exists()), ""
        )
        if whole:
            folder = root / whole
            folder.fs.rm(folder.path, recursive=True)
            deleted.add(whole)
        elif (root / asset_folder(name)).exists():
            delete_carded(root / name)
            deleted.add(name)
    return sorted(deleted)


def _folders_of(name: str) -> Iterator[str]:
    """The folders that a file of the lake is in, from its own to that of its asset."""
    asset = asset_folder(name)
    folder = name
    while len(folder) > len(asset):
        folder = folder.rpartition("/")[0]
        yield folder


def _by_folder(root: UPath, unread: frozenset[str]) -> dict[str, list[str]]:
    """The files of each folder of the lake, relative to it.

    A folder is that of an asset, or one in it that is written as a whole.
    """
    found: dict[str, list[str]] = defaultdict(list)
    names = file_names(root)
    wholes = {
        folder for folder, _, last in (n.rpartition("/") for n in names) if last == LISTING_FILE
    }
    for name in names:
        asset = asset_folder(name)
        if asset in unread or name in unread:
            continue
        folder = next((each for each in _folders_of(name) if each in wholes), asset)
        if folder != name:
            found[folder].append(name.removeprefix(f"{folder}/"))
        else:
            found[""].append(name)
    return found


def _outputs_of(
    root: UPath, folder: str, names: list[str], report: LakeReport
) -> Iterator[_Output]:
    """The outputs of a folder that can be read; the rest of its files goes to the report."""
    if not folder or any(map(is_temporary, folder.split("/"))):
        report.strangers += [f"{folder}/{name}".lstrip("/") for name in names]
        return
    path = root / folder
    try:
        listing = read_listing(path)
    except MissingOutputError:
        report.incomplete.append(folder)
        return
    except DamagedOutputError as error:
        report.damaged[f"{folder}/{LISTING_FILE}"] = error.found
        return
    if listing is not None:
        yield from _listed_outputs(folder, names, listing, report)
        return
    # Versions of a folder whose listing is gone: nothing reads them.
    lost = [name for name in names if is_in_version(name)]
    report.strangers += [f"{folder}/{name}" for name in lost]
    names = [name for name in names if name not in set(lost)]
    outputs = named_outputs(names)
    report.missing += [f"{folder}/{name}" for name in sorted(outputs.difference(names))]
    for name in names:
        if name in outputs:
            file = path / name
            yield _Output(f"{folder}/{name}", _size(file), partial(output_hash, file))
        elif carded_name(_last(name)) is None:
            where = report.unchecked if looks_like_output(name) else report.strangers
            where.append(f"{folder}/{name}")


def _listed_outputs(
    folder: str, names: list[str], listing: Listing, report: LakeReport
) -> Iterator[_Output]:
    """The outputs of a folder with a listing; earlier versions, which readers may have, go by."""
    places = {listing.place(name): name for name in listing.hashes}
    report.missing += [f"{folder}/{places[place]}" for place in sorted(places.keys() - set(names))]
    for name in names:
        if name in places:
            file = listing.folder / name
            check = partial(listed_hash, listing, places[name])
            yield _Output(f"{folder}/{places[name]}", _size(file), check)
        elif name != LISTING_FILE and not is_in_version(name) and carded_name(_last(name)) is None:
            report.strangers.append(f"{folder}/{name}")


def _last(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _size(file: UPath) -> int:
    try:
        return int(file.stat().st_size)
    except FileNotFoundError:  # Replaced or deleted since the listing.
        return 0


def _error_of(output: _Output) -> DamagedOutputError | OSError | None:
    try:
        output.verify()
    except (DamagedOutputError, OSError) as error:
        return error
    return None
