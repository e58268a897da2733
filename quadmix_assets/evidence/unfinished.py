"""Trainings of language models that were not finished, and the removal of those nobody resumes.

A folder of the lake holds the checkpoints of one set of mixes, beside a record of the versions that
their models will have. A training holds a lock (flock) on an empty folder in it, which the kernel
drops when its process ends, in whatever way.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from upath import UPath

from quadmix_assets.outputs import LANGUAGE_MODELS_UNFINISHED
from quadmix_assets.store import Store, is_local, read_reusable

_RECORD = "models.json"
# Not the folder itself, on which whoever writes a file into it holds a lock.
_LOCK = "in_use"


@contextmanager
def unfinished_models(store: Store, version: str, models: Mapping[str, str]) -> Iterator[UPath]:
    """The folder of a training, which nobody takes for an abandoned one inside the block.

    Args:
        store: the lake.
        version: of the training.
        models: the version that the models of each mix will have.
    """
    folder = store.root / LANGUAGE_MODELS_UNFINISHED / version
    with _in_use(folder):
        if not store.exists(folder / _RECORD):
            store.write_json(folder / _RECORD, dict(models))
        yield folder


def remove_abandoned(store: Store, is_wanted: Callable[[str, str], bool]) -> list[str]:
    """Remove the folders of trainings that nothing can resume; returns their names.

    One can be resumed while all its models are wanted. Whatever a process works on stays, and so
    does everything on object storage, where no lock says what that is.

    Args:
        store: the lake.
        is_wanted: whether models of a mix, of a version, can still be asked for.
    """
    root = store.root / LANGUAGE_MODELS_UNFINISHED
    if not is_local(root) or not root.exists():
        return []
    removed = []
    for folder in sorted((each for each in root.iterdir() if each.is_dir()), key=str):
        with _if_not_in_use(folder) as is_free:
            if is_free and not _can_be_resumed(store, folder, is_wanted):
                store.remove_folder(folder)
                removed.append(folder.name)
    return removed


def _can_be_resumed(store: Store, folder: UPath, is_wanted: Callable[[str, str], bool]) -> bool:
    """Whether all models of a folder are wanted; those of one without a record are unknown."""
    record = folder / _RECORD
    if not store.exists(record):
        return False
    models = read_reusable(
        lambda: dict(store.read_json(record)), "the trainings in its folder are begun again"
    )
    return models is not None and all(is_wanted(mix, of) for mix, of in models.items())


@contextmanager
def _in_use(folder: UPath) -> Iterator[None]:
    """Make a folder and hold the lock on it, which several processes may do at once."""
    if not is_local(folder):
        yield
        return
    path = Path(str(folder / _LOCK))
    while True:
        path.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:  # Removed between its making and its lock, as below.
            continue
        # A file system without locks has none to take; there, nothing is ever removed.
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_SH)
        if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
            break
        os.close(handle)
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def _if_not_in_use(folder: UPath) -> Iterator[bool]:
    """Whether no process works on a folder; none begins to inside the block."""
    path = Path(str(folder / _LOCK))
    try:
        path.mkdir(exist_ok=True)
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:  # Its training has just been finished.
        yield False
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_free = True
    except OSError:
        is_free = False
    try:
        yield is_free
    finally:
        os.close(handle)
