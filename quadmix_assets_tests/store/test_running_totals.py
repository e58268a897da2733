"""Totals over shards that grow with the pool, against totals made at once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import polars as pl
import pytest
from upath import UPath

from quadmix_assets.store import Measuring, Store, Tables, running_totals
from quadmix_assets_tests.lakes import damage

SCHEMA = {"name": pl.String, "n": pl.Int64}


class Pool:
    """Shards with numbers, and a record of which are measured."""

    def __init__(self, store: Store) -> None:
        self.store, self.measured = store, list[str]()
        self.numbers: dict[str, int] = {}

    def total(self, key: str = "k") -> Tables:
        def measure(shard: str) -> Tables:
            self.measured.append(shard)
            return {"sums": pl.DataFrame({"name": ["all"], "n": [self.numbers[shard]]})}

        def merge(parts: Sequence[Tables]) -> Tables:
            stacked = pl.concat([pl.DataFrame(schema=SCHEMA), *(each["sums"] for each in parts)])
            return {"sums": stacked.group_by("name").agg(pl.col("n").sum()).sort("name")}

        versions = {shard: str(n) for shard, n in self.numbers.items()}
        folder = self.store.root / "totals"
        how = Measuring({"key": key}, measure, merge, n_at_once=2)
        return running_totals.running_total(self.store, folder, versions, how)

    def n(self, key: str = "k") -> int:
        return int(self.total(key)["sums"]["n"].sum())


def contents(store: Store) -> Mapping[str, bytes]:
    folder = Path(str(store.root / "totals"))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    return Pool(Store(UPath(tmp_path / "lake")))


def test_only_new_shards_are_measured(pool: Pool) -> None:
    pool.numbers = {"b": 2, "a": 1}
    assert pool.n() == 3
    assert pool.measured == ["a", "b"]
    assert pool.n() == 3
    pool.numbers["0"] = 10
    assert pool.n() == 13
    assert pool.measured == ["a", "b", "0"]


@pytest.mark.parametrize("seed", range(4))
def test_totals_are_equal_to_the_byte_however_the_pool_has_grown(tmp_path: Path, seed: int) -> None:
    numbers = {f"shard-{k}": k for k in range(30)}
    at_once = Pool(Store(UPath(tmp_path / "once")))
    at_once.numbers = numbers
    at_once.total()
    grown, left, random = Pool(Store(UPath(tmp_path / "grown"))), list(numbers), Random(seed)
    random.shuffle(left)
    while left:
        wave, left = left[: random.randint(1, 9)], left[random.randint(1, 9) :]
        grown.numbers.update({shard: numbers[shard] for shard in wave})
        grown.total()
    grown.numbers = numbers
    grown.total()
    assert contents(grown.store) == contents(at_once.store)


def test_changed_and_lost_shards_leave_nothing_behind(pool: Pool) -> None:
    pool.numbers = {"a": 1, "b": 2}
    assert pool.n() == 3
    pool.numbers["a"] = 5
    assert pool.n() == 7
    del pool.numbers["b"]
    assert pool.n() == 5
    pool.numbers.clear()
    assert pool.n() == 0


def test_another_key_reuses_nothing(pool: Pool) -> None:
    pool.numbers = {"a": 1}
    pool.total("k")
    pool.total("other")
    assert pool.measured == ["a", "a"]


def test_a_damaged_total_is_made_again(pool: Pool) -> None:
    pool.numbers = {"a": 1, "b": 2}
    pool.total()
    damage(pool.store.root / "totals" / "sums.parquet")
    assert pool.n() == 3
    assert len(pool.measured) == 4


def test_an_interrupted_first_pass_goes_on_where_it_was(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_totals, "_N_BETWEEN_WRITES", 4)
    pool.numbers = {f"shard-{k}": k for k in range(10)}
    del pool.numbers["shard-6"]
    expected = pool.n() + 6
    pool.store.remove_folder(pool.store.root / "totals")
    pool.measured.clear()
    whole = {**pool.numbers, "shard-6": 6}

    class _Killed(BaseException):
        pass

    class Interrupted(dict[str, int]):
        def __getitem__(self, shard: str) -> int:
            if shard == "shard-6":
                raise _Killed
            return super().__getitem__(shard)

    pool.numbers = Interrupted(whole)
    with pytest.raises(_Killed):
        pool.total()
    pool.measured.clear()
    pool.numbers = whole
    assert pool.n() == expected
    assert pool.measured == [f"shard-{k}" for k in range(4, 10)]
