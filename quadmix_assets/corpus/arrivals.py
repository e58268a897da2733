"""What has changed in the input folder: which files are new, changed, still being written, or gone.

A look compares the folder with the shards that are registered and with the version of each file
that was reported last. A version is the file's fingerprint, or "<fingerprint>#<mark>" where the
same file is to be read once more: it has come back, or what kept its shard out is gone.
"""

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Self

from quadmix_assets.corpus.discovery import Discovery, InputShard
from quadmix_assets.corpus.set_aside import Kind, SetAside
from quadmix_assets.hashing import hash_bytes

_N_SHOWN = 5
_MARK = "#"
_TRY = "try-"
# A storage that did not answer is tried again after a minute, then after twice as long each time.
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 60.0, 3600.0


@dataclass(frozen=True)
class Memory:
    """What a look needs of the one before it.

    Attributes:
        unsettled: files that may still be written: fingerprint, and when it was first seen
            (seconds since the epoch).
        gone: registered shards without a file.
    """

    unsettled: dict[str, tuple[str, float]] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()

    def as_text(self) -> str:
        """The value as a sensor's cursor."""
        return json.dumps({"unsettled": self.unsettled, "gone": sorted(self.gone)}, sort_keys=True)

    @classmethod
    def of_text(cls, cursor: str | None) -> Self:
        """The value that `as_text` returned; an empty one for another text."""
        stored = json.loads(cursor or "{}")
        unsettled = stored.get("unsettled", {})
        gone = stored.get("gone", [])
        if not isinstance(unsettled, dict) or not isinstance(gone, list):
            return cls()
        return cls({key: (value[0], value[1]) for key, value in unsettled.items()}, frozenset(gone))


@dataclass(frozen=True)
class Known:
    """What is known of the shards before a look.

    Attributes:
        registered: keys of the registered shards.
        versions: the version of each file that was reported last.
        try_again: the versions to report of shards that were set aside, see `to_try_again`.
        expected: keys of files that are yet to be made; they are not gone.
    """

    registered: AbstractSet[str]
    versions: Mapping[str, str]
    try_again: Mapping[str, str] = field(default_factory=dict)
    expected: AbstractSet[str] = frozenset()


@dataclass(frozen=True)
class Arrivals:
    """What a look has found.

    Attributes:
        new: keys to register, sorted.
        versions: versions to report of new files, changed ones, and those to be read once more.
        gone: registered shards without a file at this look and at the one before it.
        waiting: keys of new or changed files that may still be written.
        memory: for the next look.
    """

    new: list[str]
    versions: dict[str, str]
    gone: list[str]
    waiting: list[str]
    memory: Memory


def look(
    discovery: Discovery, known: Known, memory: Memory, *, now: float, settle_seconds: float
) -> Arrivals:
    """Compare the folder with what is known.

    A file has settled when it was last written `settle_seconds` ago, or has kept its fingerprint
    for that long since it was first seen, or when the storage gives no time (an object appears when
    its upload is complete).

    Args:
        discovery: the folder's files; those with a done marker only, where one is asked for.
        known: the registered shards, and their reported versions.
        memory: of the look before.
        now: seconds since the epoch.
        settle_seconds: how long a file must not have changed; 0 for files with a done marker.
    """
    new: list[str] = []
    versions: dict[str, str] = {}
    unsettled: dict[str, tuple[str, float]] = {}
    for shard in discovery.shards:
        key, version = shard.key, known.versions.get(shard.key)
        is_registered = key in known.registered
        if is_registered and version is not None and is_version_of(version, shard):
            if key in known.try_again:
                versions[key] = known.try_again[key]
            continue
        first_seen = _first_seen(shard, memory, now)
        if not _is_settled(shard, first_seen, now, settle_seconds):
            unsettled[key] = (shard.fingerprint, first_seen)
            continue
        if not is_registered:
            new.append(key)
        # The shard was there before: without a mark, its old results would count as current.
        returns = not is_registered and version is not None
        versions[key] = f"{shard.fingerprint}{_MARK}{now:.0f}" if returns else shard.fingerprint
    present = {shard.key for shard in discovery.shards} | discovery.unmarked | known.expected
    absent = frozenset(known.registered - present)
    return Arrivals(
        new=new,
        versions=versions,
        gone=sorted(absent & memory.gone),
        waiting=sorted(unsettled.keys() | discovery.unmarked),
        memory=Memory(unsettled, absent),
    )


def is_version_of(version: str, shard: InputShard) -> bool:
    """Whether a reported version is that of the file as it is now."""
    return version.rpartition(_MARK)[0] == shard.fingerprint or version == shard.fingerprint


def too_many_are_gone(n_gone: int, n_registered: int, max_share: float) -> str | None:
    """Why shards whose files are gone are kept: so many at once may be a folder's failure.

    Returns:
        What to do, or None if the shards may be removed.
    """
    if n_gone <= max_share * n_registered:
        return None
    return (
        f"the files of {n_gone} of {n_registered} shards are gone, which is more than "
        f"automation.max_removed_share ({max_share:.0%}): nothing is removed, because the folder "
        "may not be mounted. Put the files back; if they are to leave the pool, raise the setting, "
        "or delete the partitions (Partitions > shard)"
    )


def to_try_again(
    set_aside: Mapping[str, SetAside],
    since: Mapping[str, float],
    accepted: Mapping[str, str],
    shards: Mapping[str, InputShard],
    versions: Mapping[str, str],
    *,
    now: float,
) -> dict[str, str]:
    """The shards that were set aside for a cause that is gone, with the version to report of each.

    A duplicate is tried again when a shard that held its ids has left the pool or has other
    content; a file that had vanished, when it is back; one that changed while it was read, or whose
    storage did not answer, after some time. A file that cannot be read is tried again when it
    changes, as every changed file is.

    Args:
        set_aside: per shard, why it is set aside.
        since: per shard, when it was set aside (seconds since the epoch).
        accepted: of the shards that the reasons name, those that are in the pool, with the
            checksums of their files.
        shards: the files that are there, by key.
        versions: the version of each file that was reported last.
        now: seconds since the epoch.
    """
    again = {}
    for key, reason in set_aside.items():
        shard, version = shards.get(key), versions.get(key)
        if shard is None or version is None or not is_version_of(version, shard):
            continue  # Gone, or to be reported as new or changed.
        mark = _mark(reason, accepted, version, now - since.get(key, 0.0))
        if mark is not None and version != f"{shard.fingerprint}{_MARK}{mark}":
            again[key] = f"{shard.fingerprint}{_MARK}{mark}"
    return again


def in_words(arrivals: Arrivals, discovery: Discovery) -> str:
    """What a look has found, for the list of a sensor's evaluations."""
    n_changed = len(arrivals.versions) - len(arrivals.new)
    words = [f"{len(discovery.shards)} input files"]
    words.append(f"{len(arrivals.new)} new: {_some(arrivals.new)}" if arrivals.new else "none new")
    if n_changed:
        changed = sorted(arrivals.versions.keys() - set(arrivals.new))
        words.append(f"{n_changed} changed or to be read again: {_some(changed)}")
    if arrivals.waiting:
        words.append(f"{len(arrivals.waiting)} may still be written: {_some(arrivals.waiting)}")
    just_gone = sorted(arrivals.memory.gone - set(arrivals.gone))
    if just_gone:
        words.append(f"{len(just_gone)} not there at this look: {_some(just_gone)}")
    if discovery.ignored:
        words.append(f"{len(discovery.ignored)} files ignored: {_some(discovery.ignored)}")
    return "; ".join(words)


def _first_seen(shard: InputShard, memory: Memory, now: float) -> float:
    fingerprint, first_seen = memory.unsettled.get(shard.key, ("", now))
    return first_seen if fingerprint == shard.fingerprint else now


def _is_settled(shard: InputShard, first_seen: float, now: float, settle_seconds: float) -> bool:
    if shard.modified is None:
        return True
    return max(now - shard.modified, now - first_seen) >= settle_seconds


def _mark(
    reason: SetAside, accepted: Mapping[str, str], version: str, seconds: float
) -> str | None:
    """What distinguishes the next try from those before; None if it is not due."""
    if reason.kind is Kind.DUPLICATE:
        held = {key: accepted.get(key) for key in reason.because_of}
        if held == reason.because_of:
            return None
        return hash_bytes(json.dumps(held, sort_keys=True).encode())[:8]
    if reason.kind is Kind.GONE:
        return "back"
    if reason.kind in (Kind.CHANGING, Kind.UNREACHABLE):
        tail = version.rpartition(_MARK)[2]
        n_tries = int(tail.removeprefix(_TRY)) if tail.startswith(_TRY) else 0
        wait = min(_FIRST_WAIT_SECONDS * 2**n_tries, _LONGEST_WAIT_SECONDS)
        return f"{_TRY}{n_tries + 1}" if seconds >= wait else None
    return None


def _some(names: list[str]) -> str:
    more = len(names) - _N_SHOWN
    return ", ".join(names[:_N_SHOWN]) + (f" and {more} more" if more > 0 else "")
