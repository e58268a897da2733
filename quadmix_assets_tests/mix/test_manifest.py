import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from quadmix_assets.mix.manifest import stale_shards
from quadmix_assets.mix.pinned import pinned_fingerprints
from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    FITTED_MODELS,
    RAW_SHARDS,
    SCORE_NORMALIZERS,
    SCORED_SHARDS,
    SELECTION_RULE,
    TOKENIZER,
)
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.lakes import change_output, put_raw

SHARDS = ["shard-00000.parquet", "shard-00001.jsonl.gz", "shard-00002.jsonl.zst"]
CHANGED = SHARDS[1]


@pytest.fixture
def project(tiny: Project, tmp_path: Path) -> Project:
    return tiny.copy(tmp_path / "copy")


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


def stale(project: Project, shards: list[str] = SHARDS) -> dict[str, list[str]]:
    return stale_shards(project.store, project.settings.production_mix, shards)


def everywhere(*names: str) -> dict[str, list[str]]:
    return {key: list(names) for key in SHARDS}


CHANGES: dict[str, tuple[Callable[[Store], None], dict[str, list[str]]]] = {
    "normalizer": (
        touch(SCORE_NORMALIZERS, "importance.parquet"),
        everywhere(SCORE_NORMALIZERS),
    ),
    "rule": (
        touch("mixes", "quadmix", SELECTION_RULE, "rule.json"),
        everywhere(SELECTION_RULE),
    ),
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
    project: Project, change: Callable[[Store], None], expected: dict[str, list[str]]
) -> None:
    change(project.store)
    assert stale(project) == expected


def test_copied_lake_is_not_stale_elsewhere(tiny: Project, project: Project) -> None:
    """Fingerprints are of contents: neither place nor time of the files counts."""
    mix = project.settings.production_mix
    assert pinned_fingerprints(project.store, mix) == pinned_fingerprints(tiny.store, mix)


def test_missing_parts_are_named(project: Project) -> None:
    shutil.rmtree(str(project.store.root / SCORE_NORMALIZERS))
    with pytest.raises(MissingOutputError, match=SCORE_NORMALIZERS):
        stale(project)


def test_shard_without_a_mix_is_named(project: Project) -> None:
    with pytest.raises(MissingOutputError, match="final_mix"):
        stale(project, [*SHARDS, "new.jsonl"])


def test_checksum_of_the_input_is_that_of_its_file(tiny: Project) -> None:
    summary = tiny.store.summary(tiny.store.table_path(RAW_SHARDS, SHARDS[0]))
    path = tiny.store.root / "planted_corpus" / "raw" / SHARDS[0]
    assert summary["input"] == {"file": SHARDS[0], "checksum": tiny.store.fingerprint(path)}
    assert summary["n_rows"] == pl.read_parquet(str(path)).height
