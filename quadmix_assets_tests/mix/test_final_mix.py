import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from upath import UPath

from quadmix_assets.features.normalizers import fit_normalizer
from quadmix_assets.features.scored_documents import read_scored
from quadmix_assets.mix import final_mix
from quadmix_assets.mix.calibration import RankCalibration, merged_scores
from quadmix_assets.mix.final_mix import MixModel, mix_shard
from quadmix_assets.outputs import FINAL_MIX, RAW_SHARDS, SCORED_SHARDS
from quadmix_assets.sampling import Theta
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.lakes import put_raw, put_scored

DOMAINS = ("law", "cooking", "unknown")
CRITERIA = ("worth", "depth")
CARRIED = {"domain": "string", "worth": "float", "input_worth": "int", "note": "string"}
THETA = Theta(
    alpha=np.array([[0.5, 0.5], [1.0, 0.0], [0.2, 0.8]]),
    lam=np.array([50.0, 5.0, 1.0]),
    omega=np.array([0.5, 1.0, 0.0]),
    eta=np.array([1.0, 0.4, 0.0]),
    epsilon=np.array([0.0, 0.3, 0.001]),
)


def rows_of(key: str, n: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{key}-{i}",
            "text": f"text {i} of {key}",
            "domain": f"topic {i}",
            "worth": -1.0 * i,
            "input_worth": i,
            "note": None if i % 2 else "n",
        }
        for i in range(n)
    ]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(UPath(tmp_path / "lake"))
    rng = np.random.default_rng(0)
    for key, n in (("a", 150), ("b", 80), ("empty", 0)):
        put_raw(store, key, rows_of(key, n), carried_columns=CARRIED)
        scores = {name: rng.integers(0, 40, n) / 8 for name in CRITERIA}
        put_scored(store, key, scores, rng.choice(DOMAINS, n).tolist(), rng.integers(0, 300, n))
    return store


def model_of(store: Store, shards: tuple[str, ...] = ("a", "b")) -> MixModel:
    pool = read_scored(store, shards, CRITERIA, DOMAINS)
    normalizers = [
        fit_normalizer("rank", pool.scores[:, n], pool.n_tokens, max_breakpoints=1_000)
        for n in range(len(CRITERIA))
    ]
    merged = merged_scores(pool, normalizers, THETA)
    calibration = RankCalibration.fit(
        merged, pool.domains, pool.n_tokens, n_domains=len(DOMAINS), max_breakpoints=1_000
    )
    return MixModel(CRITERIA, DOMAINS, normalizers, THETA, calibration, 3, {"tokenizer": "t"})


def test_documents_keep_their_own_text_and_columns(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Joined by id from raw shards and scores, over batches that end within the shard."""
    monkeypatch.setattr(final_mix, "BATCH_ROWS", 17)
    mix_shard(store, "a", model_of(store))
    mix = store.read_table(store.table_path(FINAL_MIX, "a"))
    assert mix.columns == [
        *("id", "text", "source", "n_bytes"),
        *("input_domain", "input_input_worth", "input_worth", "note"),
        *("domain", "n_tokens", "worth", "depth"),
        *("merged_score", "rank", "sampling_value", "copies"),
    ]
    assert 0 < mix.height < 150
    raw = store.read_table(store.table_path(RAW_SHARDS, "a")).rename(
        {"domain": "input_domain", "worth": "input_input_worth"}
    )
    assert mix.select(raw.columns).equals(raw.filter(pl.col("id").is_in(mix["id"].to_list())))
    scored = store.read_table(store.table_path(SCORED_SHARDS, "a"))
    expected = scored.filter(pl.col("id").is_in(mix["id"].to_list()))
    assert mix.select("id", "n_tokens", *CRITERIA).equals(expected)


def test_summary_counts_the_table(store: Store) -> None:
    summary = mix_shard(store, "a", model_of(store))
    path = store.table_path(FINAL_MIX, "a")
    assert store.summary(path) == summary == json.loads(json.dumps(summary))
    mix = store.read_table(path)
    scored = store.read_table(store.table_path(SCORED_SHARDS, "a"))
    tokens = mix["n_tokens"] * mix["copies"]
    assert summary["n_documents_in"] == 150
    assert summary["n_tokens_in"] == scored["n_tokens"].sum()
    assert summary["n_documents_out"] == mix.height
    assert summary["n_copies_out"] == mix["copies"].sum()
    assert summary["n_tokens_out"] == tokens.sum() == sum(summary["n_tokens_out_per_domain"])
    assert summary["max_copies"] == mix["copies"].max()
    assert mix["copies"].min() == 1
    for name, n_tokens in zip(DOMAINS, summary["n_tokens_out_per_domain"], strict=True):
        assert n_tokens == tokens.filter(mix["domain"] == name).sum()
    assert sum(summary["n_tokens_in_per_domain"]) == summary["n_tokens_in"]
    checksum = store.summary(store.table_path(RAW_SHARDS, "a"))["input"]["checksum"]
    assert summary["inputs"] == {"tokenizer": "t", "raw_shard": checksum}


def test_batches_and_neighbours_change_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(store)
    path = store.table_path(FINAL_MIX, "b")
    mix_shard(store, "b", model)
    alone = store.read_table(path)
    mix_shard(store, "a", model)
    monkeypatch.setattr(final_mix, "BATCH_ROWS", 9)
    mix_shard(store, "b", model)
    assert store.read_table(path).equals(alone)


def test_shard_without_documents(store: Store) -> None:
    summary = mix_shard(store, "empty", model_of(store))
    mix_shard(store, "a", model_of(store))
    empty = store.read_table(store.table_path(FINAL_MIX, "empty"))
    assert empty.height == 0
    assert empty.schema == store.read_table(store.table_path(FINAL_MIX, "a")).schema
    assert summary["n_tokens_out_per_domain"] == [0, 0, 0]
    assert summary["max_copies"] == summary["n_tokens_in"] == 0


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda rows: rows[:-1], id="one document less"),
        pytest.param(lambda rows: [*rows, {"id": "new", "text": "more"}], id="one more"),
        pytest.param(lambda rows: rows[::-1], id="another order"),
        pytest.param(lambda rows: [{**r, "text": "other words"} for r in rows], id="other texts"),
    ],
)
def test_scores_of_another_version_of_the_shard_are_refused(store: Store, change: Any) -> None:
    """Else texts would be taken for the scores of others."""
    model = model_of(store)
    mix_shard(store, "a", model)
    before = store.fingerprint(store.root / FINAL_MIX)
    put_raw(store, "a", change(rows_of("a", 150)), carried_columns=CARRIED)
    with pytest.raises(ValueError, match="'a' was made from another version .* materialise scored"):
        mix_shard(store, "a", model)
    assert store.fingerprint(store.root / FINAL_MIX) == before


def test_scores_of_other_ids_of_the_same_file_are_refused(store: Store) -> None:
    """The file is the same, the setting that names the ids is not."""
    model = model_of(store)
    put_raw(store, "a", rows_of("a", 150), carried_columns=CARRIED, id_column=None)
    with pytest.raises(ValueError, match="'a' was made from another version"):
        mix_shard(store, "a", model)
    assert not store.table_path(FINAL_MIX, "a").exists()


def test_missing_parts_are_named(store: Store) -> None:
    model = model_of(store)
    put_raw(store, "new", rows_of("new", 3), carried_columns=CARRIED)
    with pytest.raises(MissingOutputError, match="scored_shards"):
        mix_shard(store, "new", model)
    with pytest.raises(MissingOutputError, match="scored_shards"):
        mix_shard(store, "nowhere", model)
