"""A mix that takes only the best of near-duplicates, from its rule to its manifest and checks."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from upath import UPath

from quadmix_assets.corpus.tokenizer import tokenizer_path
from quadmix_assets.features.near_duplicates.pool import write_near_duplicates
from quadmix_assets.features.near_duplicates.shard_signatures import sign_shard
from quadmix_assets.features.scored_reference_pool import write_scored_reference_pool
from quadmix_assets.mix.duplicates import unknown_duplicates
from quadmix_assets.mix.final_mix import mix_shard
from quadmix_assets.mix.fit_rule import fit_rule
from quadmix_assets.mix.guards import Guards
from quadmix_assets.mix.made_from import write_made_from
from quadmix_assets.mix.manifest import build_manifest
from quadmix_assets.mix.rule_drift import rule_drift
from quadmix_assets.mix.stored_rule import read_dropped, read_rule
from quadmix_assets.outputs import (
    FINAL_MIX,
    FITTED_MODELS,
    NEAR_DUPLICATES,
    RULE_SUMMARY,
    mix_output,
)
from quadmix_assets.settings import Settings, SettingsError, load_settings
from quadmix_assets.store import MissingOutputError, Store, atomic_folder
from quadmix_assets_tests.conftest import write_profile
from quadmix_assets_tests.features.near_duplicates.texts import random_text, with_changed_words
from quadmix_assets_tests.lakes import put_raw, put_scored

SHARDS = ("a", "b")
N_FAMILIES, N_ALONE = 12, 20
TOP = {"method": "top_k", "criterion": "importance", "tokens": 1_000}
MIXES = [
    {**TOP, "name": "best"},
    {**TOP, "name": "own", "drop_duplicates": True},
    {"method": "random", "tokens": 1_000, "drop_duplicates": "heuristics"},
]


def settings_in(folder: Path, mixes: list[dict[str, Any]], *, enabled: bool = True) -> Settings:
    path = write_profile(
        folder,
        features={"near_duplicates": {"enabled": enabled}},
        mixes=mixes,
        production=mixes[0].get("name", mixes[0]["method"]),
    )
    return load_settings(path)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path, MIXES)


@pytest.fixture
def store(tmp_path: Path, settings: Settings) -> Store:
    """Families of three near-duplicates over two shards, and documents without any."""
    store = Store(UPath(tmp_path / "lake"))
    store.write_json(tokenizer_path(store), {})
    with atomic_folder(store.root / FITTED_MODELS) as folder:
        (folder / "models.json").write_text("{}")
    pinned = {
        FITTED_MODELS: store.fingerprint(store.root / FITTED_MODELS),
        "tokenizer": store.fingerprint(tokenizer_path(store)),
    }
    rng = np.random.default_rng(0)
    rows = [{"id": f"alone{n}", "text": random_text(rng, 60)} for n in range(N_ALONE)]
    for family in range(N_FAMILIES):
        text = random_text(rng, 200)
        copies = [text, text.upper(), with_changed_words(rng, text, 2)]
        rows += [{"id": f"{family}-{n}", "text": copy} for n, copy in enumerate(copies)]
    for number, shard in enumerate(SHARDS):
        some = rows[number :: len(SHARDS)]
        put_raw(store, shard, some, id_column="id")
        scores = {name: rng.random(len(some)) for name in settings.criterion_names}
        put_scored(store, shard, scores, ["law"] * len(some), [100] * len(some), pinned)
        sign_shard(store, shard, settings.features.near_duplicates)
    write_scored_reference_pool(store, SHARDS)
    write_near_duplicates(store, SHARDS, settings.features.near_duplicates)
    return store


def scores_of(store: Store, criterion: str) -> dict[str, float]:
    tables = [store.read_table(store.table_path("scored_shards", shard)) for shard in SHARDS]
    found = pl.concat(tables)
    return dict(zip(found["id"], found[criterion], strict=True))


def mixed(store: Store, settings: Settings, name: str) -> list[str]:
    """The ids that a mix takes, after fitting its rule and mixing all shards."""
    fit_rule(store, settings, name)
    loaded = read_rule(store, settings, name)
    for shard in SHARDS:
        mix_shard(store, shard, settings, name, loaded)
    paths = [store.table_path(mix_output(name, FINAL_MIX), shard) for shard in SHARDS]
    return [i for path in paths for i in store.read_table(path)["id"].to_list()]


def best_of_families(scores: dict[str, float]) -> set[str]:
    families = [[f"{family}-{n}" for n in range(3)] for family in range(N_FAMILIES)]
    return {max(family, key=lambda i: scores[i]) for family in families}


@pytest.mark.parametrize(("name", "criterion"), [("own", "importance"), ("random", "heuristics")])
def test_only_the_best_of_each_cluster_is_taken(
    store: Store, settings: Settings, name: str, criterion: str
) -> None:
    best = best_of_families(scores_of(store, criterion))
    assert len(mixed(store, settings, name)) == 10
    in_families = {i for i in mixed(store, settings, name) if "-" in i}
    assert in_families and in_families <= best
    named = read_dropped(store, name)
    assert named.height == 2 * N_FAMILIES and named["survivor"].n_unique() == N_FAMILIES


def test_tokens_are_met_without_the_duplicates(store: Store, settings: Settings) -> None:
    scores = scores_of(store, "importance")
    best = best_of_families(scores)
    allowed = sorted((i for i in scores if "-" not in i or i in best), key=lambda i: -scores[i])
    assert sorted(mixed(store, settings, "own")) == sorted(allowed[:10])
    with_copies = sorted(scores, key=lambda i: -scores[i])[:10]
    assert sorted(mixed(store, settings, "best")) == sorted(with_copies)
    assert read_dropped(store, "best").height == 0


def test_the_manifest_counts_what_was_dropped(store: Store, settings: Settings) -> None:
    mixed(store, settings, "own")
    write_made_from(store, settings, settings.mix_named("own"), Guards((), ()))
    manifest = build_manifest(store, SHARDS, settings, "own")
    n_dropped = 2 * N_FAMILIES
    assert manifest["dropped_duplicates"] == {"n_documents": n_dropped, "n_tokens": 100 * n_dropped}
    assert manifest["made_from"][NEAR_DUPLICATES] == store.fingerprint(store.root / NEAR_DUPLICATES)
    assert "selection_rule/dropped.parquet" in manifest["tables"]


def test_a_copy_that_comes_later_is_unknown_to_the_rule(store: Store, settings: Settings) -> None:
    options = settings.features.near_duplicates
    fit_rule(store, settings, "own")
    clusters = write_near_duplicates(store, SHARDS, options)
    assert unknown_duplicates(clusters, read_dropped(store, "own")).is_empty
    text = store.read_table(store.table_path("raw_shards", "a"))["text"][0]
    put_raw(store, "c", [{"id": "late", "text": text}], id_column="id")
    scores = {name: [9.0] for name in settings.criterion_names}
    put_scored(store, "c", scores, ["law"], [100])
    sign_shard(store, "c", options)
    clusters = write_near_duplicates(store, (*SHARDS, "c"), options)
    found = unknown_duplicates(clusters, read_dropped(store, "own"))
    assert (found.n_repeated, found.n_orphans) == (1, 0)
    assert found.examples["id"][0] in ("late", "alone0")


def test_without_near_duplicates_the_asset_is_named(store: Store, settings: Settings) -> None:
    store.remove_folder(store.root / NEAR_DUPLICATES)
    with pytest.raises(MissingOutputError, match=NEAR_DUPLICATES):
        fit_rule(store, settings, "own")


def test_settings_that_look_for_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"mixes\[own\].drop_duplicates needs .*enabled: true"):
        settings_in(tmp_path, MIXES[1:], enabled=False)


def test_the_check_of_the_rule_counts_dropped_documents_as_the_fit_does(
    store: Store, settings: Settings
) -> None:
    fit_rule(store, settings, "own")
    folder = store.root / mix_output("own", RULE_SUMMARY)
    by_fit = store.fingerprint(folder)
    store.remove_folder(folder)
    found = rule_drift(store, SHARDS, settings, "own")
    assert store.fingerprint(folder) == by_fit
    np.testing.assert_array_equal(found.taken_now, found.taken_before)
