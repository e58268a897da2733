from collections.abc import Mapping

import pytest
from upath import UPath

from quadmix_assets.corpus.arrivals import (
    Arrivals,
    Known,
    Memory,
    in_words,
    look,
    to_try_again,
    too_many_are_gone,
)
from quadmix_assets.corpus.discovery import Discovery, InputShard
from quadmix_assets.corpus.set_aside import Kind, SetAside

NOW = 1_000_000.0


def file(key: str, fingerprint: str = "1", modified: float | None = 0.0) -> InputShard:
    return InputShard(key, UPath("memory://raw") / key, fingerprint, modified)


def look_at(
    *files: InputShard,
    versions: Mapping[str, str] | None = None,
    registered: set[str] | None = None,
    memory: Memory | None = None,
    now: float = NOW,
    unmarked: frozenset[str] = frozenset(),
    **known: object,
) -> Arrivals:
    versions = versions or {}
    return look(
        Discovery(list(files), [], unmarked),
        Known(set(versions) if registered is None else registered, versions, **known),  # type: ignore[arg-type]
        memory or Memory(),
        now=now,
        settle_seconds=5.0,
    )


def test_new_changed_and_known_files() -> None:
    found = look_at(file("a"), file("b", "2"), file("c"), versions={"b": "1", "c": "1"})
    assert found.new == ["a"]
    assert found.versions == {"a": "1", "b": "2"}
    assert found.gone == found.waiting == []


def test_a_file_waits_until_it_has_not_changed_for_the_settle_time() -> None:
    first = look_at(file("a", "1", NOW - 1))
    assert (first.new, first.waiting) == ([], ["a"])
    grown = look_at(file("a", "2", NOW + 3), memory=first.memory, now=NOW + 4)
    assert grown.waiting == ["a"]
    settled = look_at(file("a", "2", NOW + 3), memory=grown.memory, now=NOW + 9)
    assert settled.versions == {"a": "2"}
    assert settled.memory.unsettled == {}


def test_a_clock_that_is_ahead_does_not_hold_a_file_up_for_ever() -> None:
    ahead = file("a", "1", NOW + 3600)
    first = look_at(ahead)
    assert first.waiting == ["a"]
    assert look_at(ahead, memory=first.memory, now=NOW + 5).new == ["a"]


def test_an_object_without_a_time_is_complete() -> None:
    assert look_at(file("a", "1", None)).new == ["a"]


def test_a_file_is_gone_at_the_second_look_without_it() -> None:
    versions = {"a": "1", "b": "1"}
    first = look_at(file("b"), versions=versions)
    assert first.gone == [] and first.memory.gone == {"a"}
    assert look_at(file("b"), versions=versions, memory=first.memory).gone == ["a"]
    back = look_at(file("a"), file("b"), versions=versions, memory=first.memory)
    assert back.gone == [] and back.versions == {}
    unmarked = look_at(file("b"), versions=versions, memory=first.memory, unmarked=frozenset({"a"}))
    assert (unmarked.gone, unmarked.waiting) == ([], ["a"]), "it is written again"
    planted = look_at(file("b"), versions=versions, memory=first.memory, expected={"a"})
    assert planted.gone == []


def test_a_shard_that_comes_back_has_a_version_it_never_had() -> None:
    for last in ("deleted", "1"):
        found = look_at(file("a"), versions={"a": last}, registered=set())
        assert found.new == ["a"]
        (version,) = found.versions.values()
        assert version != "1"
        assert look_at(file("a"), versions={"a": version}).versions == {}, "known from then on"
        assert look_at(file("a", "2"), versions={"a": version}).versions == {"a": "2"}


def test_fingerprints_may_hold_any_character() -> None:
    found = look_at(file("a", "5-x#y=="), versions={"a": "deleted"}, registered=set())
    assert look_at(file("a", "5-x#y=="), versions=found.versions).versions == {}


@pytest.mark.parametrize(
    ("n_gone", "n_registered", "kept"), [(0, 0, False), (1, 2, False), (2, 3, True), (1, 1, True)]
)
def test_many_files_that_go_at_once_are_kept(n_gone: int, n_registered: int, kept: bool) -> None:
    words = too_many_are_gone(n_gone, n_registered, 0.5)
    assert (words is not None) == kept
    if words is not None:
        assert "automation.max_removed_share (50%)" in words
        assert f"{n_gone} of {n_registered} shards" in words


def again(
    reason: SetAside,
    *,
    version: str = "1",
    fingerprint: str = "1",
    accepted: Mapping[str, str] | None = None,
    seconds: float = 0.0,
) -> str | None:
    found = to_try_again(
        {"a": reason},
        {"a": NOW - seconds},
        accepted or {},
        {"a": file("a", fingerprint)},
        {"a": version},
        now=NOW,
    )
    return found.get("a")


def test_a_duplicate_is_tried_again_when_the_other_shard_goes_or_changes() -> None:
    reason = SetAside(Kind.DUPLICATE, "it repeats b", {"b": "old"})
    assert again(reason, accepted={"b": "old"}) is None
    gone = again(reason)
    changed = again(reason, accepted={"b": "new"})
    assert gone is not None and changed is not None and gone != changed
    assert again(reason, version=gone) is None, "once"
    assert again(reason, version=gone, accepted={"b": "new"}) == changed
    assert again(reason, fingerprint="2") is None, "it is reported as changed anyway"


def test_which_causes_pass() -> None:
    assert again(SetAside(Kind.UNREADABLE, "damaged"), seconds=1e6) is None
    gone = again(SetAside(Kind.GONE, "gone"))
    assert gone is not None
    assert again(SetAside(Kind.GONE, "gone"), version=gone) is None


@pytest.mark.parametrize("kind", [Kind.UNREACHABLE, Kind.CHANGING])
def test_tries_are_further_and_further_apart(kind: Kind) -> None:
    reason = SetAside(kind, "it may pass")
    version, waits = "1", []
    for _ in range(9):
        wait = next(s for s in range(0, 100_000, 30) if again(reason, version=version, seconds=s))
        waits.append(wait)
        version = again(reason, version=version, seconds=wait) or ""
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_try_again_is_reported_as_a_new_version() -> None:
    found = look_at(file("a"), versions={"a": "1"}, try_again={"a": "1#x"})
    assert (found.new, found.versions) == ([], {"a": "1#x"})


def test_memory_survives_the_cursor_and_other_cursors_are_empty() -> None:
    memory = Memory({"a": ("1", 2.5)}, frozenset({"b"}))
    assert Memory.of_text(memory.as_text()) == memory
    for text in (None, '{"unsettled": "1-2", "shard.jsonl": "3-4", "gone": "5"}'):
        assert Memory.of_text(text) == Memory()


def test_words_name_files() -> None:
    files = [file(f"n{i}") for i in range(7)]
    found = look_at(*files, file("w", "1", NOW), file("c", "2"), versions={"c": "1", "g": "1"})
    words = in_words(found, Discovery([*files, file("w"), file("c")], ["notes.txt"]))
    for part in (
        "9 input files",
        "7 new: n0, n1, n2, n3, n4 and 2 more",
        "1 changed or to be read again: c",
        "1 may still be written: w",
        "1 not there at this look: g",
        "1 files ignored: notes.txt",
    ):
        assert part in words
