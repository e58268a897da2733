import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from quadmix_assets.mix.manifest import pinned_fingerprints, stale_shards
from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    FITTED_MODELS,
    RANK_CALIBRATION,
    RAW_SHARDS,
    SCORE_NORMALIZERS,
    SCORED_SHARDS,
    TOKENIZER,
)
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.lakes import change_output, put_raw

SHARDS = ["shard-00000.parquet", "shard-00001.jsonl.gz", "shard-00002.jsonl.zst"]
CHANGED = SHARDS[1]


@pytest.fixture
def store(tiny: Project, tmp_path: Path) -> Store:
    return tiny.copy(tmp_path / "copy").store


def touch(*parts: str) -> Callable[[Store], None]:
    """Replace a file of the lake by a longer one."""
    return lambda store: change_output(store, *parts)


def rewrite(asset: str, **inputs: str) -> Callable[[Store], None]:
    """Write a shard of an asset again, as made from other inputs."""

    def change(store: Store) -> None:
        path = store.table_path(asset, CHANGED)
        used = store.summary(path)["inputs"]
        assert set(inputs) <= set(used)
        store.write_table(path, store.read_table(path), {"inputs": {**used, **inputs}})

    return change


def other_input(store: Store) -> None:
    put_raw(store, CHANGED, [{"id": "x", "text": "another file"}])


MODELS = ["fitted_models", "scored_shards", "domain_labels"]
ALL_THREE = ["raw_shard", "scored_shards", "domain_labels"]


def everywhere(*names: str) -> dict[str, list[str]]:
    return {key: list(names) for key in SHARDS}


CHANGES: dict[str, tuple[Callable[[Store], None], dict[str, list[str]]]] = {
    "normalizer": (
        touch(SCORE_NORMALIZERS, "importance.parquet"),
        everywhere(SCORE_NORMALIZERS),
    ),
    "calibration": (touch(RANK_CALIBRATION, "theta.json"), everywhere(RANK_CALIBRATION)),
    "tokenizer": (touch(TOKENIZER, "tokenizer.json"), everywhere("tokenizer", SCORED_SHARDS)),
    "domains": (touch(FITTED_MODELS, "domains", "card.json"), everywhere(*MODELS)),
    "criterion": (
        touch(FITTED_MODELS, "criteria", "heuristics", "card.json"),
        everywhere(*MODELS),
    ),
    "input file": (other_input, {CHANGED: ALL_THREE}),
    "other tokens": (rewrite(SCORED_SHARDS, tokenizer="old"), {CHANGED: [SCORED_SHARDS]}),
    "scores of another file": (
        rewrite(SCORED_SHARDS, raw_shard="old"),
        {CHANGED: [SCORED_SHARDS]},
    ),
    "labels by another model": (
        rewrite(DOMAIN_LABELS, fitted_models="old"),
        {CHANGED: [DOMAIN_LABELS]},
    ),
    "nothing": (lambda store: None, {}),
}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES.keys())
def test_every_kind_of_change_is_found_and_named(
    store: Store, change: Callable[[Store], None], expected: dict[str, list[str]]
) -> None:
    change(store)
    assert stale_shards(store, SHARDS) == expected


def test_copied_lake_is_not_stale_elsewhere(tiny: Project, store: Store) -> None:
    """Fingerprints are of contents: neither place nor time of the files counts."""
    assert pinned_fingerprints(store) == pinned_fingerprints(tiny.store)


def test_missing_parts_are_named(store: Store) -> None:
    shutil.rmtree(str(store.root / SCORE_NORMALIZERS))
    with pytest.raises(MissingOutputError, match=SCORE_NORMALIZERS):
        stale_shards(store, SHARDS)


def test_shard_without_a_mix_is_named(store: Store) -> None:
    with pytest.raises(MissingOutputError, match="final_mix"):
        stale_shards(store, [*SHARDS, "new.jsonl"])


def test_checksum_of_the_input_is_that_of_its_file(tiny: Project) -> None:
    summary = tiny.store.summary(tiny.store.table_path(RAW_SHARDS, SHARDS[0]))
    path = tiny.store.root / "planted_corpus" / "raw" / SHARDS[0]
    assert summary["input"] == {"file": SHARDS[0], "checksum": tiny.store.fingerprint(path)}
    assert summary["n_rows"] == pl.read_parquet(str(path)).height
