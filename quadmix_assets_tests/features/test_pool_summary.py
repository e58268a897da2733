"""The summary of a pool, against the whole pool in memory, and what a new shard costs."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from upath import UPath

from quadmix_assets.features import pool_summary
from quadmix_assets.features.normalizers import RankNormalizer, fit_normalizer
from quadmix_assets.features.pool_summary import PoolSummary, summarize_pool
from quadmix_assets.outputs import DOMAIN_LABELS, POOL_SUMMARY, SCORE_NORMALIZERS, SCORED_SHARDS
from quadmix_assets.sampling import hash_ids
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets.store import store as store_module

CRITERIA, DOMAINS = ("x", "y"), ("law", "music", "unknown")
SHARDS = [f"s{k}" for k in range(5)]
RNG = np.random.default_rng(0)
N = 200


def frame_of(shard: str, shift: float = 0.0) -> pl.DataFrame:
    rng = np.random.default_rng(int(shard[1:]))
    return pl.DataFrame(
        {
            "id": [f"{shard}-{k}" for k in range(N)],
            "n_tokens": rng.integers(1, 500, N),
            "x": rng.normal(shift, size=N),
            "y": rng.integers(0, 4, N).astype(float),
            "domain": rng.choice(DOMAINS[:2], N),
            "confidence": rng.random(N),
        }
    )


def put(store: Store, shard: str, shift: float = 0.0) -> None:
    frame = frame_of(shard, shift)
    scored, labels = ["id", "n_tokens", *CRITERIA], ["id", "domain", "confidence"]
    store.write_table(store.table_path(SCORED_SHARDS, shard), frame.select(scored))
    store.write_table(store.table_path(DOMAIN_LABELS, shard), frame.select(labels))


def pool_of(shards: list[str]) -> pl.DataFrame:
    return pl.concat(frame_of(shard) for shard in shards)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(UPath(tmp_path / "lake"))
    for shard in SHARDS:
        put(store, shard)
    fit(store, SHARDS)
    return store


def fit(store: Store, shards: list[str], kind: str = "rank") -> None:
    pool = pool_of(shards)
    for name in CRITERIA:
        fitted = fit_normalizer(
            kind,  # type: ignore[arg-type]
            pool[name].to_numpy(),
            pool["n_tokens"].to_numpy(),
            max_breakpoints=10_000,
        )
        store.write_table(store.table_path(SCORE_NORMALIZERS, name), fitted.to_frame())


def summary(store: Store, shards: list[str]) -> PoolSummary:
    return summarize_pool(store, shards, CRITERIA, DOMAINS)


def normalizer_of(shards: list[str], name: str) -> RankNormalizer:
    pool = pool_of(shards)
    fitted = fit_normalizer(
        "rank", pool[name].to_numpy(), pool["n_tokens"].to_numpy(), max_breakpoints=10_000
    )
    assert isinstance(fitted, RankNormalizer)
    return fitted


def contents(store: Store) -> dict[str, bytes]:
    folder = Path(str(store.root / POOL_SUMMARY))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables whose rows are read."""
    names: list[str] = []
    plain = store_module.open_table

    def noted(path: UPath) -> object:
        if path.parent.name in (SCORED_SHARDS, DOMAIN_LABELS):
            names.append(path.stem)
        return plain(path)

    monkeypatch.setattr(store_module, "open_table", noted)
    return names


def test_numbers_are_those_of_the_whole_pool(store: Store) -> None:
    found, pool = summary(store, SHARDS), pool_of(SHARDS)
    assert found.n_documents == pool.height
    by_domain = {
        name: (rows.height, rows["n_tokens"].sum()) for (name,), rows in pool.group_by("domain")
    }
    expected = [by_domain.get(name, (0, 0)) for name in DOMAINS]
    assert found.documents_per_domain.tolist() == [n for n, _ in expected]
    assert found.tokens_per_domain.tolist() == [n for _, n in expected]
    assert found.confidence.sum() == pool.height
    for n, name in enumerate(CRITERIA):
        sigma = normalizer_of(SHARDS, name).apply(pool[name].to_numpy())
        means = found.mean_sigma[:, n]
        assert means[-1] == pytest.approx(np.average(sigma, weights=pool["n_tokens"]), rel=1e-8)
        is_law = (pool["domain"] == "law").to_numpy()
        mean = np.average(sigma[is_law], weights=pool["n_tokens"].to_numpy()[is_law])
        assert means[0] == pytest.approx(mean, rel=1e-8)
        assert np.isnan(means[2])
    assert found.sample.height == pool.height, "a small pool is its own sample"


def test_extremes_are_the_ends_of_the_pool(store: Store) -> None:
    found = summary(store, SHARDS).extremes
    for name in CRITERIA:
        order = pool_of(SHARDS).sort(name, "id", descending=[True, False])["id"].to_list()
        of_criterion = found.filter(pl.col("criterion") == name)
        assert of_criterion.filter("is_best")["id"].to_list() == order[:10]
        assert of_criterion.filter(~pl.col("is_best"))["id"].to_list() == order[::-1][:10]
    for row in found.iter_rows(named=True):
        there = frame_of(row["shard"]).row(row["row"], named=True)
        assert (there["id"], there[row["criterion"]]) == (row["id"], row["score"])
        assert there["domain"] == DOMAINS[row["domain"]]


def test_a_new_shard_reads_no_row_of_another(store: Store, opened: list[str]) -> None:
    summary(store, SHARDS[:4])
    assert set(opened) == set(SHARDS[:4])
    opened.clear()
    summary(store, SHARDS)
    assert set(opened) == {"s4"}
    opened.clear()
    summary(store, SHARDS)
    assert opened == []


@pytest.mark.parametrize("limit", [100_000, 300])
def test_summaries_are_equal_to_the_byte_however_the_pool_has_grown(
    store: Store, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_summary, "MAX_SAMPLED", limit)
    summary(store, SHARDS)
    at_once = contents(store)
    store.remove_folder(store.root / POOL_SUMMARY)
    for shards in (["s3"], ["s1", "s3", "s4"], SHARDS):
        summary(store, shards)
    assert contents(store) == at_once
    summary(store, SHARDS[1:])
    without = contents(store)
    store.remove_folder(store.root / POOL_SUMMARY)
    summary(store, SHARDS[1:])
    assert contents(store) == without


def test_sample_is_of_the_smallest_hashes_in_any_layout(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_summary, "MAX_SAMPLED", 300)
    sample = summary(store, SHARDS).sample
    assert 100 < sample.height <= 300
    pool = pool_of(SHARDS)
    hashes = np.sort(hash_ids(pool["id"].to_list()))
    assert sample["id_hash"].to_list() == hashes[: sample.height].tolist()
    assert sample.height == (hashes < np.uint64(2**62)).sum(), "a quarter of them"
    by_hash = dict(zip(hash_ids(pool["id"].to_list()).tolist(), pool["x"], strict=True))
    assert [by_hash[each] for each in sample["id_hash"]] == sample["x"].to_list()


@pytest.mark.parametrize("kind", ["zscore", "minmax"])
def test_other_normalizers_have_means(store: Store, kind: str) -> None:
    fit(store, SHARDS, kind)
    found = summary(store, SHARDS)
    assert np.isfinite(found.mean_sigma[:2]).all()
    if kind == "zscore":
        assert found.mean_sigma[-1] == pytest.approx([0.0, 0.0], abs=1e-8)


def test_other_normalizers_or_scores_are_measured_anew(store: Store, opened: list[str]) -> None:
    summary(store, SHARDS)
    fit(store, SHARDS[:2])
    opened.clear()
    summary(store, SHARDS)
    assert set(opened) == set(SHARDS)
    put(store, "s2", shift=1.0)
    found = summary(store, SHARDS)
    assert found.sample["x"].sum() == pytest.approx(
        sum(frame_of(s, float(s == "s2"))["x"].sum() for s in SHARDS)
    )


def test_a_shard_without_scores_is_named(store: Store) -> None:
    with pytest.raises(MissingOutputError, match="'scored_shards' .partition 's9'"):
        summary(store, [*SHARDS, "s9"])
