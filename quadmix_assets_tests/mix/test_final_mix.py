"""The documents of shards: what a rule takes, its counts, and what is refused."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from quadmix_assets.mix.final_mix import columns_of, mix_shard
from quadmix_assets.mix.stored_rule import LoadedRule, read_rule
from quadmix_assets.outputs import DOMAIN_LABELS, FINAL_MIX, RAW_SHARDS, SCORED_SHARDS, mix_output
from quadmix_assets.sampling import hash_ids
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.lakes import put_raw, put_scored

MIX = "quadmix"
DOCUMENTS = mix_output(MIX, FINAL_MIX)
SHARDS = ["shard-00000.parquet", "shard-00001.jsonl.gz", "shard-00002.jsonl.zst"]


@pytest.fixture
def project(tiny: Project, tmp_path: Path) -> Project:
    return tiny.copy(tmp_path / "copy")


def loaded(project: Project) -> LoadedRule:
    return read_rule(project.store, project.settings, MIX)


def mixed(project: Project, shard: str, rule: LoadedRule | None = None) -> dict[str, Any]:
    rule = loaded(project) if rule is None else rule
    return mix_shard(project.store, shard, project.settings, MIX, rule)


def table(store: Store, shard: str) -> pl.DataFrame:
    return store.read_table(store.table_path(DOCUMENTS, shard))


def test_table_holds_scores_and_decisions_and_no_text(project: Project) -> None:
    store, criteria = project.store, project.settings.criterion_names
    mixed(project, SHARDS[0])
    mix = table(store, SHARDS[0])
    assert mix.columns == [
        *("id", "domain", "n_tokens", *criteria),
        *("merged_score", "rank", "sampling_value", "copies"),
    ]
    scored = store.read_table(store.table_path(SCORED_SHARDS, SHARDS[0]))
    labels = store.read_table(store.table_path(DOMAIN_LABELS, SHARDS[0]))
    assert columns_of(project.settings) == dict(mix.schema)
    taken = pl.col("id").is_in(mix["id"].to_list())
    columns = ["id", "n_tokens", *criteria]
    assert mix.select(columns).equals(scored.filter(taken).select(columns))
    assert mix["domain"].equals(labels.filter(taken)["domain"])
    assert 0 < mix.height < scored.height
    assert mix["copies"].min() == 1


def test_summary_counts_the_table(project: Project) -> None:
    store = project.store
    summary = mixed(project, SHARDS[0])
    assert store.summary(store.table_path(DOCUMENTS, SHARDS[0])) == summary
    assert summary == json.loads(json.dumps(summary))
    mix = table(store, SHARDS[0])
    scored = store.read_table(store.table_path(SCORED_SHARDS, SHARDS[0]))
    tokens = mix["n_tokens"] * mix["copies"]
    assert summary["n_documents_in"] == scored.height
    assert summary["n_tokens_in"] == scored["n_tokens"].sum()
    assert summary["n_documents_out"] == mix.height
    assert summary["n_copies_out"] == mix["copies"].sum()
    assert summary["n_tokens_out"] == tokens.sum() == sum(summary["n_tokens_out_per_domain"])
    assert summary["max_copies"] == mix["copies"].max()
    names = project.settings.domain_names
    for name, n_tokens in zip(names, summary["n_tokens_out_per_domain"], strict=True):
        assert n_tokens == tokens.filter(mix["domain"] == name).sum()
    assert sum(summary["n_tokens_in_per_domain"]) == summary["n_tokens_in"]
    assert summary["dropped_duplicates"] == {"n_documents": 0, "n_tokens": 0}
    raw = store.summary(store.table_path(RAW_SHARDS, SHARDS[0]))["input"]["checksum"]
    rule = loaded(project)
    assert summary["inputs"] == {**rule.fingerprints, "raw_shard": raw}
    assert set(rule.fingerprints) == {
        *("tokenizer", "fitted_models", "score_normalizers", "selection_rule"),
    }


def test_rule_says_before_what_the_shards_will_hold(project: Project) -> None:
    """Expected tokens are those of the pool that it was fitted on, to a document."""
    rule = loaded(project)
    counts = [mixed(project, shard, rule)["n_tokens_out_per_domain"] for shard in SHARDS]
    assert [sum(of_domain) for of_domain in zip(*counts, strict=True)] == rule.values[
        "expected_tokens"
    ]


def test_documents_do_not_depend_on_their_shard(project: Project) -> None:
    """A shard with the documents of two holds what these held, whatever their order."""
    store, rule = project.store, loaded(project)
    together: dict[str, list[Any]] = {}
    before = []
    for shard in SHARDS[:2]:
        mixed(project, shard, rule)
        before.append(table(store, shard))
    raw, scored, labels = (
        pl.concat([store.read_table(store.table_path(asset, key)) for key in SHARDS[1::-1]])
        for asset in (RAW_SHARDS, SCORED_SHARDS, DOMAIN_LABELS)
    )
    store.write_table(
        store.table_path(RAW_SHARDS, "both"), raw, {"input": {"file": "both", "checksum": "two"}}
    )
    for name in project.settings.criterion_names:
        together[name] = scored[name].to_list()
    put_scored(store, "both", together, labels["domain"].to_list(), scored["n_tokens"].to_list())
    mixed(project, "both", rule)
    assert table(store, "both").sort("id").equals(pl.concat(before).sort("id"))


def test_dropped_near_duplicates_are_not_taken(project: Project) -> None:
    rule = loaded(project)
    mixed(project, SHARDS[0], rule)
    ids = table(project.store, SHARDS[0])["id"].to_list()
    tokens = table(project.store, SHARDS[0])["n_tokens"].to_list()
    dropped = sorted(hash_ids(ids[:2]).tolist())
    without = LoadedRule(
        rule.mix,
        rule.rule,
        rule.normalizers,
        pl.Series(dropped, dtype=pl.UInt64).to_numpy(),
        rule.values,
        rule.fingerprints,
    )
    summary = mixed(project, SHARDS[0], without)
    assert table(project.store, SHARDS[0])["id"].to_list() == ids[2:]
    assert summary["dropped_duplicates"] == {"n_documents": 2, "n_tokens": sum(tokens[:2])}


def test_shard_without_documents(project: Project) -> None:
    store = project.store
    put_raw(store, "empty", [])
    names = project.settings.criterion_names
    put_scored(store, "empty", {name: [] for name in names}, [], [])
    summary = mixed(project, "empty")
    mixed(project, SHARDS[0])
    assert table(store, "empty").height == 0
    assert table(store, "empty").schema == table(store, SHARDS[0]).schema
    assert set(summary["n_tokens_out_per_domain"]) == {0}
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
def test_scores_of_another_version_of_the_shard_are_refused(project: Project, change: Any) -> None:
    """Else the mix would hold what is not there any more."""
    store = project.store
    before = store.fingerprint(store.root / DOCUMENTS)
    raw = store.read_table(store.table_path(RAW_SHARDS, SHARDS[0]))
    put_raw(store, SHARDS[0], change(raw.select("id", "text").to_dicts()))
    words = f"'{SHARDS[0]}' was made from another version .* materialise scored"
    with pytest.raises(ValueError, match=words):
        mixed(project, SHARDS[0])
    assert store.fingerprint(store.root / DOCUMENTS) == before


def test_missing_parts_are_named(project: Project) -> None:
    put_raw(project.store, "new", [{"id": "n", "text": "words"}])
    for shard in ("new", "nowhere"):
        with pytest.raises(MissingOutputError, match="scored_shards"):
            mixed(project, shard)
