"""Every method that needs no search, from the settings to the documents of shards."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from quadmix_assets.mix.final_mix import mix_shard
from quadmix_assets.mix.fit_rule import fit_rule
from quadmix_assets.mix.pool import read_documents
from quadmix_assets.mix.stored_rule import read_rule
from quadmix_assets.outputs import FINAL_MIX, SCORED_SHARDS, mix_output
from quadmix_assets.settings import SettingsError
from quadmix_assets_tests.conftest import Project

SHARDS = ["shard-00000.parquet", "shard-00001.jsonl.gz", "shard-00002.jsonl.zst"]
TOKENS = 60_000
WEIGHT = {
    "kind": "importance",
    "name": "dsir_weight",
    "target": "planted",
    "per": "document",
    "weighed": False,
}
MINE = {"kind": "column", "name": "mine", "column": "planted_quality", "weighed": False}
MIXES: list[dict[str, Any]] = [
    {"method": "random"},
    {"method": "proportional"},
    {"method": "unimax", "max_epochs": 2.0},
    {"method": "top_k", "criterion": "heuristics"},
    {"method": "criteria_mix"},
    {"method": "dsir", "criterion": "dsir_weight"},
    {"method": "column", "criterion": "mine", "read_as": "probability"},
]


def write(project: Project, mixes: list[dict[str, Any]]) -> None:
    """Name these mixes in the profile, beside two criteria that theta does not weigh."""
    profile = yaml.safe_load(project.profile.read_text())
    profile["features"]["criteria"] += [WEIGHT, MINE]
    profile["mixes"] = ["quadmix", *({"tokens": TOKENS, **mix} for mix in mixes)]
    project.profile.write_text(yaml.safe_dump(profile))


@pytest.fixture(scope="module")
def project(tiny: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = tiny.copy(tmp_path_factory.mktemp("methods") / "copy")
    write(project, MIXES)
    store, rng = project.store, np.random.default_rng(0)
    for shard in SHARDS:
        path = store.table_path(SCORED_SHARDS, shard)
        scored = store.read_table(path)
        further = pl.DataFrame(
            {"dsir_weight": rng.normal(size=scored.height), "mine": rng.random(scored.height)}
        )
        store.write_table(path, scored.hstack(further), store.summary(path))
    return project


@pytest.mark.parametrize("method", [mix["method"] for mix in MIXES])
def test_shards_hold_the_tokens_that_were_asked_for(project: Project, method: str) -> None:
    store, settings = project.store, project.settings
    made = fit_rule(store, settings, method)
    loaded = read_rule(store, settings, method)
    totals = [mix_shard(store, shard, settings, method, loaded) for shard in SHARDS]
    longest = 0
    for shard, total in zip(SHARDS, totals, strict=True):
        table = store.read_table(store.table_path(mix_output(method, FINAL_MIX), shard))
        assert table.columns == [
            *("id", "domain", "n_tokens", *settings.score_names),
            *("merged_score", "rank", "sampling_value", "copies"),
        ]
        assert (table["n_tokens"] * table["copies"]).sum() == total["n_tokens_out"]
        scored = store.read_table(store.table_path(SCORED_SHARDS, shard))
        longest = max(longest, int(scored["n_tokens"].cast(pl.Int64).to_numpy().max()))
    n_tokens = sum(total["n_tokens_out"] for total in totals)
    assert TOKENS - longest < n_tokens <= TOKENS
    assert n_tokens == made.expected_tokens.sum()


@pytest.mark.parametrize("method", [mix["method"] for mix in MIXES])
def test_the_order_of_shards_changes_nothing(project: Project, method: str) -> None:
    store, settings = project.store, project.settings
    mix = settings.mix_named(method)
    rules = []
    for shards in (SHARDS, SHARDS[::-1]):
        pool = read_documents(store, shards, settings, mix)
        implementation = mix.implementation()(mix, store, settings)
        rules.append(implementation.fit(pool, tokens=TOKENS, seed=1).stored().values)
        assert implementation.quality(pool).shape == (len(pool),)
    assert rules[0] == rules[1]


@pytest.mark.parametrize("method", ["random", "top_k", "criteria_mix", "dsir"])
def test_near_duplicates_are_compared_in_the_order_of_the_method(
    project: Project, method: str
) -> None:
    """What is taken once is never worse than what is left."""
    store, settings = project.store, project.settings
    named = settings.mix_named(method)
    implementation = named.implementation()(named, store, settings)
    pool = read_documents(store, SHARDS, settings, named)
    rule = implementation.fit(pool, tokens=TOKENS, seed=implementation.seed)
    copies, quality = rule.decide(pool).copies, implementation.quality(pool)
    assert quality[copies > 0].max() <= quality[copies == 0].min()


@pytest.mark.parametrize(
    ("mix", "message"),
    [
        ({"method": "dsir"}, r"'importance', which is not of kind importance with per: document"),
        ({"method": "column", "criterion": "heuristics"}, "not a criterion of kind column"),
        ({"method": "top_k", "criterion": "other"}, r"names the criterion 'other'"),
        ({"method": "top_k"}, r"criterion: .*missing"),
    ],
)
def test_settings_that_no_method_can_use_are_refused(
    tiny: Project, tmp_path: Path, mix: dict[str, Any], message: str
) -> None:
    project = tiny.copy(tmp_path / "copy")
    write(project, [mix])
    with pytest.raises(SettingsError, match=message):
        assert project.settings
