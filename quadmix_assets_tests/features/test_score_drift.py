"""Drift of the normalizers from sketches of shards, against the pool held in memory."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from upath import UPath

from quadmix_assets.features import score_drift as score_drift_module
from quadmix_assets.features.normalizers import RankNormalizer, fit_normalizer
from quadmix_assets.features.score_drift import SKETCH_VALUES, Drift, score_drift, write_sketch
from quadmix_assets.outputs import (
    SCORE_DRIFT,
    SCORE_NORMALIZERS,
    SCORE_SKETCHES,
    SCORED_SHARDS,
)
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets.store import store as store_module
from quadmix_assets_tests.lakes import damage

CRITERIA = ("x", "y")
SHARDS = [f"s{k}" for k in range(4)]
N = 3 * SKETCH_VALUES


def frame_of(shard: str, shift: float = 0.0, n: int = N) -> pl.DataFrame:
    """x has as many values as documents, y has four."""
    rng = np.random.default_rng(int(shard[1:]))
    return pl.DataFrame(
        {
            "id": [f"{shard}-{k}" for k in range(n)],
            "n_tokens": rng.integers(0, 500, n),
            "x": rng.normal(shift, size=n),
            "y": rng.integers(0, 4, n).astype(float),
        }
    )


def put(store: Store, shard: str, shift: float = 0.0, n: int = N) -> pl.DataFrame:
    frame = frame_of(shard, shift, n)
    store.write_table(store.table_path(SCORED_SHARDS, shard), frame)
    return frame


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(UPath(tmp_path / "lake"))
    for shard in SHARDS:
        put(store, shard)
    fit(store, SHARDS[:2])
    return store


def fit(store: Store, shards: list[str], kind: str = "rank") -> None:
    pool = pl.concat(frame_of(shard) for shard in shards)
    for name in CRITERIA:
        fitted = fit_normalizer(
            kind,  # type: ignore[arg-type]
            pool[name].to_numpy(),
            pool["n_tokens"].to_numpy(),
            max_breakpoints=20_000,
        )
        store.write_table(store.table_path(SCORE_NORMALIZERS, name), fitted.to_frame())


def drift(store: Store, shards: list[str] = SHARDS) -> dict[str, Drift]:
    return score_drift(store, shards, CRITERIA)


def exact_distance(store: Store, pool: pl.DataFrame, name: str) -> float:
    """The largest gap between the shares of tokens at or above any score."""
    frame = store.read_table(store.table_path(SCORE_NORMALIZERS, name))
    fitted = RankNormalizer.from_frame(frame)
    assert isinstance(fitted, RankNormalizer)
    ordered = pool.sort(name, descending=True)
    total = ordered["n_tokens"].sum()
    now = ordered.group_by(name, maintain_order=True).agg(pl.col("n_tokens").sum())
    shares = now["n_tokens"].cum_sum().to_numpy() / total
    return float(np.abs(fitted.apply(now[name].to_numpy()) - shares).max())


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables of scores whose rows are read."""
    names: list[str] = []
    plain = store_module.open_table

    def noted(path: UPath) -> object:
        if path.parent.name == SCORED_SHARDS:
            names.append(path.stem)
        return plain(path)

    monkeypatch.setattr(store_module, "open_table", noted)
    return names


def keep_sketches(store: Store, shards: list[str] = SHARDS) -> None:
    for shard in shards:
        scored = store.read_table(store.table_path(SCORED_SHARDS, shard))
        write_sketch(store, shard, scored, CRITERIA)


@pytest.mark.parametrize("shift", [0.0, 0.02, 0.5, 8.0])
def test_drift_is_that_of_all_documents_within_its_bound(store: Store, shift: float) -> None:
    put(store, "s3", shift)
    pool = pl.concat([*(frame_of(shard) for shard in SHARDS[:3]), frame_of("s3", shift)])
    found = drift(store)
    for name in CRITERIA:
        off = abs(found[name].distance - exact_distance(store, pool, name))
        assert off <= found[name].max_error + 1e-9
        assert found[name].max_error < 0.002
    assert found["y"].max_error == 0.0, "few values are kept as they are"
    assert found["y"].distance == pytest.approx(exact_distance(store, pool, "y"), abs=1e-12)


def test_a_check_of_shards_with_sketches_reads_no_scores(store: Store, opened: list[str]) -> None:
    expected = drift(store)
    assert set(opened) == set(SHARDS), "shards without sketches are read"
    store.remove_folder(store.root / SCORE_DRIFT)
    store.remove_folder(store.root / SCORE_SKETCHES)
    keep_sketches(store)
    opened.clear()
    assert drift(store, SHARDS[:3]) != expected
    assert drift(store) == expected
    fit(store, SHARDS[2:])
    assert drift(store) != expected, "other normalizers are compared with the same sketches"
    assert opened == []


def test_sketches_that_are_gone_damaged_or_old_are_made_again(
    store: Store, opened: list[str]
) -> None:
    keep_sketches(store)
    store.delete(store.table_path(SCORE_SKETCHES, "s0"))
    damage(store.table_path(SCORE_SKETCHES, "s1"))
    put(store, "s2", shift=8.0)
    opened.clear()
    pool = pl.concat([*(frame_of(s) for s in ("s0", "s1", "s3")), frame_of("s2", 8.0)])
    found = drift(store)["x"]
    assert abs(found.distance - exact_distance(store, pool, "x")) <= found.max_error
    assert set(opened) == {"s0", "s1", "s2"}
    opened.clear()
    store.remove_folder(store.root / SCORE_DRIFT)
    assert drift(store)["x"] == found
    assert opened == []


def test_totals_are_equal_to_the_byte_however_the_pool_has_grown(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def contents() -> dict[str, bytes]:
        folder = Path(str(store.root / SCORE_DRIFT))
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    drift(store)
    at_once = contents()
    store.remove_folder(store.root / SCORE_DRIFT)
    monkeypatch.setattr(score_drift_module, "_N_AT_ONCE", 2)
    for shards in (["s3"], ["s1", "s2", "s3"], SHARDS):
        drift(store, shards)
    assert contents() == at_once


def test_a_shard_without_documents_changes_nothing(store: Store) -> None:
    expected = drift(store)
    put(store, "s9", n=0)
    assert drift(store, [*SHARDS, "s9"]) == expected


def test_only_ranks_drift(store: Store) -> None:
    fit(store, SHARDS, "zscore")
    assert drift(store) == {}


def test_what_is_missing_is_named(store: Store) -> None:
    with pytest.raises(MissingOutputError, match="'scored_shards' .partition 's9'"):
        drift(store, [*SHARDS, "s9"])
    frame = frame_of("s1").drop("y")
    store.write_table(store.table_path(SCORED_SHARDS, "s1"), frame)
    with pytest.raises(ValueError, match="'s1' has no column y: .* scored_shards again"):
        drift(store)
