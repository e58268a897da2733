from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.comparison.losses import FINAL, RANDOM
from quadmix_assets.comparison.random_mix import compare_with_random, random_copies
from quadmix_assets.outputs import FINAL_MIX, RANDOM_COMPARISON
from quadmix_assets.store import MissingOutputError
from quadmix_assets_tests.conftest import Project

SHARDS = ["shard-00000.parquet", "shard-00001.jsonl.gz", "shard-00002.jsonl.zst"]


def hashes(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.uint64)


@given(st.lists(st.integers(0, 60), max_size=40), st.integers(0, 5_000), st.integers(0, 2**63 - 1))
def test_mix_is_as_large_as_asked_but_for_less_than_a_document(
    lengths: list[int], n_tokens: int, seed: int
) -> None:
    tokens = np.array(lengths, dtype=np.int64)
    copies = random_copies(hashes(len(tokens)), tokens, n_tokens, seed=seed)
    assert copies.shape == tokens.shape
    if not tokens.sum():
        assert not copies.any()
        return
    size = int((copies * tokens).sum())
    assert n_tokens - tokens.max() < size <= n_tokens
    assert copies.max() - copies.min() <= 1, "no document twice before all are there once"
    assert copies.min() == n_tokens // tokens.sum()


def test_choice_is_by_id_and_seed() -> None:
    rng = np.random.default_rng(0)
    tokens, ids = rng.integers(1, 500, 300), rng.integers(0, 2**63, 300).astype(np.uint64)
    first = random_copies(ids, tokens, 20_000, seed=1)
    order = rng.permutation(300)
    again = random_copies(ids[order], tokens[order], 20_000, seed=1)
    np.testing.assert_array_equal(again, first[order])
    assert not np.array_equal(random_copies(ids, tokens, 20_000, seed=2), first)


def test_every_document_has_the_same_chance_whatever_its_length() -> None:
    """400 draws of a quarter of the pool; counts within four standard deviations of a binomial."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, 500, 200)
    ids = rng.integers(0, 2**63, 200).astype(np.uint64)
    draws = [random_copies(ids, tokens, int(tokens.sum()) // 4, seed=seed) for seed in range(400)]
    taken = np.sum(draws, axis=0) / 400
    assert np.abs(taken - 0.25).max() < 4.5 * np.sqrt(0.25 * 0.75 / 400)
    assert abs(np.corrcoef(taken, tokens)[0, 1]) < 0.25


def test_losses_are_of_pairs_that_differ_in_their_data_alone(tiny: Project) -> None:
    losses = tiny.store.read_table(tiny.store.table_path(RANDOM_COMPARISON))
    assert losses.select("mix", "seed", "target").rows() == [
        (FINAL, 0, "planted"),
        (RANDOM, 0, "planted"),
    ]
    assert losses["n_tokens"].n_unique() == 1
    assert losses["loss_nats"].n_unique() == 2
    assert losses["status"].to_list() == ["trained"] * 2


def test_an_empty_mix_is_recorded_as_failed(tiny: Project, tmp_path: Path) -> None:
    project = tiny.copy(tmp_path / "copy")
    store = project.store
    for shard in SHARDS:
        path = store.table_path(FINAL_MIX, shard)
        store.write_table(path, store.read_table(path).clear())
    losses = compare_with_random(store, SHARDS, project.settings)
    final = losses.filter(pl.col("mix") == FINAL)
    assert final["status"].to_list() == ["failed"]
    assert final["loss_nats"].to_list() == [None]
    assert final["reason"][0] == "its sample holds no tokens"


def test_shard_without_a_mix_is_named(tiny: Project) -> None:
    with pytest.raises(MissingOutputError, match="scored_shards"):
        compare_with_random(tiny.store, ["nowhere"], tiny.settings)
