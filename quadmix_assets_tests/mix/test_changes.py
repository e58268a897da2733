from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from quadmix_assets.mix.changes import Changes, changed_settings, changes_since
from quadmix_assets.mix.manifest import read_manifest
from quadmix_assets.outputs import (
    FINAL_MIX,
    OPTIMAL_PARAMS,
    PROXY_METRICS,
    RAW_SHARDS,
    SCORE_NORMALIZERS,
    SCORED_SHARDS,
    TARGET_SETS,
    mix_output,
)
from quadmix_assets.store import Store
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.lakes import change_output, put_raw

MIX = "quadmix"
SHARDS = ["shard-00000.parquet", "shard-00001.jsonl.gz", "shard-00002.jsonl.zst"]


@pytest.fixture
def project(tiny: Project, tmp_path: Path) -> Project:
    return tiny.copy(tmp_path / "copy")


def changes(project: Project, registered: list[str] | None = None) -> dict[str, list[str]]:
    manifest = read_manifest(project.store, MIX)
    registered = SHARDS if registered is None else registered
    found = changes_since(project.store, project.settings, manifest, registered)
    return {kind: list(names) for kind, names in found.by_kind.items()}


def append(*parts: str) -> Callable[[Store], None]:
    """Replace a file of the lake by a longer one."""
    return lambda store: change_output(store, *parts)


def other_losses(store: Store) -> None:
    path = store.table_path(PROXY_METRICS, "batch-00001")
    table = store.read_table(path).with_columns(pl.col("loss_nats") + 1)
    store.write_table(path, table, store.summary(path))


def older_scores(store: Store) -> None:
    path = store.table_path(SCORED_SHARDS, SHARDS[1])
    summary = store.summary(path)
    summary["inputs"]["tokenizer"] = "an older one"
    store.write_table(path, store.read_table(path), summary)


CHANGES: dict[str, tuple[Callable[[Store], None], dict[str, list[str]]]] = {
    "nothing": (lambda store: None, {}),
    "a normalizer": (
        append(SCORE_NORMALIZERS, "importance.parquet"),
        {"tables that are newer": ["score_normalizers/importance.parquet"]},
    ),
    "proxies": (other_losses, {"proxies that are newer or gone": ["batch-00001"]}),
    "proxies gone": (
        lambda store: store.table_path(PROXY_METRICS, "batch-00000").unlink(),
        {"proxies that are newer or gone": ["batch-00000 (gone)"]},
    ),
    "scores": (older_scores, {"shards with newer inputs": [f"{SHARDS[1]} (scored_shards)"]}),
    "theta*": (
        append(OPTIMAL_PARAMS, "planted.json"),
        {"made again since the rule was fitted": [OPTIMAL_PARAMS]},
    ),
    "target sets": (
        lambda store: store.write_json(store.path(TARGET_SETS, "added.json"), {}),
        {"made again since the rule was fitted": [TARGET_SETS]},
    ),
    "a reference pool": (
        lambda store: store.write_json(store.path("reference_pool", "a.json"), {}),
        {"made again since the rule was fitted": ["reference_pool"]},
    ),
    "mix gone": (
        lambda store: store.table_path(mix_output(MIX, FINAL_MIX), SHARDS[2]).unlink(),
        {"shards of which outputs are gone": [SHARDS[2]]},
    ),
}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES.keys())
def test_every_kind_of_change_is_named(
    project: Project, change: Callable[[Store], None], expected: dict[str, list[str]]
) -> None:
    change(project.store)
    assert changes(project) == expected


def test_new_gone_and_unread_shards_are_named(project: Project) -> None:
    put_raw(project.store, "new.jsonl", [{"id": "n", "text": "words"}])
    assert changes(project, [SHARDS[0], SHARDS[2], "new.jsonl", "unread.jsonl"]) == {
        "shards that have not been read": ["unread.jsonl"],
        "shards without a mix": ["new.jsonl"],
        "shards that are gone": [SHARDS[1]],
    }


def test_shard_that_was_set_aside_is_not_missed(project: Project) -> None:
    store = project.store
    table = store.read_table(store.table_path(RAW_SHARDS, SHARDS[0])).clear()
    store.write_table(store.table_path(RAW_SHARDS, "bad"), table, {"set_aside": {"reason": "x"}})
    assert changes(project, [*SHARDS, "bad"]) == {}


def test_changed_settings_are_named_with_both_values(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUADMIX_PARAMETERS__OMEGA_MAX", "0.25")
    monkeypatch.setenv("QUADMIX_AUTOMATION__DISCOVERY_SECONDS", "99")
    monkeypatch.setenv(
        "QUADMIX_MIXES", '[{"method": "quadmix", "tokens": 5, "export": "none"}, "best_measured"]'
    )
    assert changes(project) == {
        "settings that differ": [
            "mixes.quadmix.export: parquet → none",
            "mixes.quadmix.tokens: None → 5",
            "parameters.omega_max: 0.5 → 0.25",
        ]
    }


def test_settings_are_compared_by_path() -> None:
    before = {"a": {"b": [1, {"c": 2}], "d": {}}, "gone": 1, "owner": "x"}
    now = {"a": {"b": [1, {"c": 3}], "d": {"e": None}}, "new": "y", "owner": "z"}
    assert changed_settings(before, before) == []
    assert changed_settings(before, now) == [
        "a.b[1].c: 2 → 3",
        "a.d: {} → not set",
        "a.d.e: not set → None",
        "gone: 1 → not set",
        "new: not set → y",
    ]


def test_words_name_the_first_of_many() -> None:
    found = Changes({"shards that are gone": [f"s{n}" for n in range(7)], "tables": ["t"]})
    assert found.in_words() == "shards that are gone: s0, s1, s2, s3, s4 and 2 more; tables: t"
