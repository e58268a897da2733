"""Old versions of a mix are removed, and never what it is now."""

from pathlib import Path

import numpy as np
import pytest
from upath import UPath

from quadmix_assets.mix.prune_versions import prune_versions
from quadmix_assets.mix.selections import read_mix
from quadmix_assets.mix.versions import list_headers, list_versions, present_version
from quadmix_assets.store import Store
from quadmix_assets_tests.finished_mixes import put_mix, rows_of

RNG = np.random.default_rng(0)
SHARED = rows_of("a", RNG)
OF_VERSIONS = [rows_of("b", RNG) for _ in range(4)]
MIX, OTHER = "chosen", "other"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(UPath(tmp_path / "lake"))


def make(store: Store, number: int, mix: str = MIX) -> str:
    return put_mix(store, mix, {"a": SHARED, "b": OF_VERSIONS[number]})


def versions(store: Store, mix: str = MIX) -> list[str]:
    return [header.version for header in list_headers(store, mix)]


def test_the_newest_versions_stay(store: Store) -> None:
    made = [make(store, number) for number in range(4)]
    others = [make(store, number, OTHER) for number in range(2)]
    expected = {each.version: each.n_bytes_own for each in list_versions(store, MIX)}
    removed = prune_versions(store, MIX, 2)
    assert list(removed) == [made[1], made[0]]
    assert versions(store) == [made[3], made[2]]
    assert versions(store, OTHER) == others[::-1]
    assert {version: expected[version] for version in removed} == removed
    for version, rows in zip(made[2:], OF_VERSIONS[2:], strict=True):
        kept = read_mix(store, MIX, version)
        assert kept.rows("a").height == len(SHARED)
        assert kept.rows("b")["id"].to_list() == [row.id for row in rows]
    assert prune_versions(store, MIX, 2) == {}


def test_what_the_mix_is_now_stays_however_old_it_is(store: Store) -> None:
    """A mix that is what it was before is an old version."""
    first, second, third = (make(store, number) for number in range(3))
    assert make(store, 0) == first == present_version(store, MIX)
    assert list(prune_versions(store, MIX, 2)) == [second]
    assert set(versions(store)) == {first, third}
    assert list(prune_versions(store, MIX, 1)) == [third]
    assert versions(store) == [first]
    assert read_mix(store, MIX).rows("b").height == len(OF_VERSIONS[0])


def test_by_default_all_are_kept(store: Store) -> None:
    made = [make(store, number) for number in range(4)]
    assert prune_versions(store, MIX, None) == {}
    assert versions(store) == made[::-1]
    assert prune_versions(store, "nothing", 1) == {}
