from pathlib import Path

import numpy as np
import pytest
from upath import UPath

from quadmix_assets.features.normalize_pool import fit_normalizers
from quadmix_assets.features.population_shift import (
    Shift,
    describe_shifts,
    population_shift,
    reference_shards,
    shift_table,
    shifts_of_shards,
)
from quadmix_assets.outputs import POPULATION_SHIFT, SCORED_SHARDS
from quadmix_assets.sampling import TokenShareTable
from quadmix_assets.settings import NormalizerSettings
from quadmix_assets.store import Store
from quadmix_assets_tests.lakes import put_raw, put_scored

LIMIT = 0.25


def shift_of(pool: np.ndarray, shard: np.ndarray, *, max_breakpoints: int = 20_000) -> Shift:
    """The shift of scores, all documents of one length."""
    ones = np.ones(len(pool), dtype=np.int64)
    table = TokenShareTable.fit(-pool, ones, max_breakpoints=max_breakpoints)
    return population_shift(table, table(-shard), np.full(len(shard), 7))


def textbook_psi(pool: np.ndarray, shard: np.ndarray) -> float:
    """PSI over tenths of the pool, from the scores themselves."""
    edges = np.quantile(pool, np.linspace(0, 1, 11)[1:-1])
    expected = np.bincount(np.searchsorted(edges, pool), minlength=10) / len(pool)
    observed = np.bincount(np.searchsorted(edges, shard), minlength=10) / len(shard)
    return float(((observed - expected) * np.log(observed / expected)).sum())


@pytest.mark.parametrize("max_breakpoints", [100_000, 50])
@pytest.mark.parametrize("offset", [0.0, 0.3, 1.0])
def test_index_is_the_textbook_s(offset: float, max_breakpoints: int) -> None:
    rng = np.random.default_rng(1)
    pool, shard = rng.normal(size=40_000), rng.normal(loc=offset, size=20_000)
    found = shift_of(pool, shard, max_breakpoints=max_breakpoints)
    assert found.psi == pytest.approx(textbook_psi(pool, shard), rel=0.05, abs=0.002)
    assert found.exceeds(LIMIT) == (offset == 1.0)


def test_small_shards_of_the_same_pool_rarely_exceed_the_limit() -> None:
    rng = np.random.default_rng(2)
    pool = rng.gamma(2.0, size=20_000)
    for size in (3, 10, 30, 100):
        shifts = [shift_of(pool, rng.choice(pool, size)) for _ in range(100)]
        assert sum(shift.exceeds(LIMIT) for shift in shifts) <= 1, size
    assert shift_of(pool, rng.choice(pool, 300) + 2.0).exceeds(LIMIT)


def test_groups_of_equal_scores_are_not_split_by_a_bin() -> None:
    pool = np.repeat([0.0, 1.0, 2.0], [700, 250, 50])
    assert shift_of(pool, np.repeat([0.0, 1.0, 2.0], [1400, 500, 100])).psi < 1e-3
    assert shift_of(pool, np.repeat([0.0, 2.0], [10, 990])).exceeds(LIMIT)
    assert shift_of(np.zeros(10), np.zeros(10)) == Shift(0.0, 0.0)


def test_documents_count_by_their_tokens() -> None:
    rng = np.random.default_rng(3)
    pool = rng.normal(size=10_000)
    table = TokenShareTable.fit(-pool, np.ones(10_000, dtype=np.int64), max_breakpoints=20_000)
    shard = np.concatenate([rng.normal(size=1_000), np.full(1_000, 9.0)])
    tokens = np.repeat([1_000, 1], 1_000)
    assert population_shift(table, table(-shard), tokens).psi < 0.05
    assert population_shift(table, table(-shard), tokens[::-1]).psi > 1


def test_shard_without_tokens_has_no_shift() -> None:
    assert shift_of(np.arange(5.0), np.empty(0)) == Shift(0.0, 0.0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two shards of one kind, on which the normalizers are fitted, and one that is better."""
    store = Store(UPath(tmp_path / "lake"))
    rng = np.random.default_rng(4)
    for shard, offset in (("a", 0.0), ("b", 0.0), ("better", 2.0)):
        put_raw(store, shard, [{"id": f"{shard}-{n}", "text": "x"} for n in range(400)])
        scores = {"worth": rng.normal(loc=offset, size=400), "fame": rng.normal(size=400)}
        put_scored(store, shard, scores, ["law"] * 400, [3] * 400)
    fit_normalizers(store, ["a", "b"], ["worth", "fame"], NormalizerSettings())
    return store


def test_the_shard_and_the_criterion_are_named(store: Store) -> None:
    found = shifts_of_shards(store, ["a", "b", "better"], ["worth", "fame"])
    table, far = shift_table(found, LIMIT)
    assert far == {"better": ["worth"]}
    assert table.height == 6
    assert table.row(0)[:2] == ("better", "worth")
    words = describe_shifts(found, far, LIMIT)
    assert "1 of 3 shards" in words
    assert "better (worth " in words
    assert "materialise score_normalizers" in words
    assert "2 shards resemble" in describe_shifts(
        {key: found[key] for key in ("a", "b")}, {}, LIMIT
    )


def test_only_what_is_new_is_measured(store: Store) -> None:
    criteria = ["worth", "fame"]
    first = shifts_of_shards(store, ["a", "better"], criteria)
    # Scores that are gone are not needed as long as their footers are.
    path = store.table_path(SCORED_SHARDS, "a")
    store.write_table(path, store.read_table(path).head(0), store.summary(path))
    again = shifts_of_shards(store, ["a", "b", "better"], criteria)
    assert {key: again[key] for key in first} == first
    put_scored(
        store,
        "a",
        {"worth": np.full(400, 5.0), "fame": np.zeros(400)},
        ["law"] * 400,
        [3] * 400,
        {"fitted_models": "models-2", "tokenizer": "tokenizer-1"},
    )
    changed = shifts_of_shards(store, ["a", "better"], criteria)
    assert changed["a"]["worth"].psi > 1
    assert changed["better"] == first["better"]
    stored = store.read_json(store.path(POPULATION_SHIFT, "population_shift.json"))
    assert set(stored["shards"]) == {"a", "better"}


def test_new_normalizers_are_measured_against(store: Store) -> None:
    assert shifts_of_shards(store, ["better"], ["worth"])["better"]["worth"].exceeds(LIMIT)
    fit_normalizers(store, ["better"], ["worth", "fame"], NormalizerSettings())
    assert not shifts_of_shards(store, ["better"], ["worth"])["better"]["worth"].exceeds(LIMIT)


def test_other_normalizers_have_no_bins(store: Store) -> None:
    fit_normalizers(store, ["a"], ["worth"], NormalizerSettings(kind="zscore"))
    found = shifts_of_shards(store, ["better"], ["worth"])
    assert found == {"better": {}}
    assert "no shard to compare" in describe_shifts(found, {}, LIMIT)


def test_reference_is_what_the_lake_says(store: Store) -> None:
    assert reference_shards(store) == frozenset()
    path = store.path("scored_reference_pool", "scored_reference_pool.json")
    store.write_json(path, {"shards": {"a": {"checksum": "1"}, "b": {"checksum": "2"}}})
    assert reference_shards(store) == {"a", "b"}
