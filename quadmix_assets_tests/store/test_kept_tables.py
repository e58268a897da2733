"""Tables that are kept on the way: reused while they are made from the same, else made again."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from upath import UPath

from quadmix_assets.store import Store, read_kept, write_kept
from quadmix_assets_tests.lakes import damage


class Kept:
    """A place for one table, and how often it was made."""

    def __init__(self, store: Store) -> None:
        self.store, self.path, self.n_made = store, store.path("kept", "s.parquet"), 0

    def read(self, made_from: dict[str, Any]) -> int:
        def make() -> pl.DataFrame:
            self.n_made += 1
            return pl.DataFrame({"n": [self.n_made]})

        return int(read_kept(self.store, self.path, made_from, make)["n"].item())


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(Store(UPath(tmp_path / "lake")))


def test_a_table_is_made_once(kept: Kept) -> None:
    assert [kept.read({"seal": "a"}) for _ in range(3)] == [1, 1, 1]
    write_kept(kept.store, kept.path, pl.DataFrame({"n": [7]}), {"seal": "b", "names": ["x"]})
    assert kept.read({"seal": "b", "names": ["x"]}) == 7
    assert kept.n_made == 1


def test_one_of_something_else_is_made_again(kept: Kept) -> None:
    assert kept.read({"seal": "a"}) == 1
    assert kept.read({"seal": "b"}) == 2
    assert kept.read({"seal": "a"}) == 3


def test_a_damaged_one_and_one_that_is_gone_are_made_again(kept: Kept) -> None:
    kept.read({"seal": "a"})
    damage(kept.path)
    assert kept.read({"seal": "a"}) == 2
    kept.store.delete(kept.path)
    assert kept.read({"seal": "a"}) == 3


def test_a_table_that_says_nothing_of_itself_is_made_again(kept: Kept) -> None:
    kept.store.write_table(kept.path, pl.DataFrame({"n": [7]}))
    assert kept.read({"seal": "a"}) == 1
