from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quadmix_assets.mix.explain import explain
from quadmix_assets.mix.explanation import ExplainedDocument
from quadmix_assets.mix.rule import StoredRule
from quadmix_assets.mix.selections import MixRows, read_mix
from quadmix_assets.mix.stored_rule import DROPPED_TABLE, write_rule
from quadmix_assets.mix.version_rule import PoolDocument, find_in_pool, reason, rule_of_version
from quadmix_assets.outputs import SCORED_SHARDS
from quadmix_assets.sampling import hash_ids
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.mix.explained import (
    DOMAIN_MIX,
    THETA_MIX,
    filled_store,
    finish,
    mix_all,
    put_rule,
    settings_of,
    theta_of,
    theta_rule,
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


@pytest.fixture
def store(settings: Settings) -> Store:
    return filled_store(settings, THETA_MIX, DOMAIN_MIX)


def known(store: Store, document_id: str) -> PoolDocument:
    document = find_in_pool(store, document_id)
    assert document is not None
    return document


def copies_in(rows: MixRows) -> dict[str, int]:
    return {name: n for _, table in rows for name, n in table.select("id", "copies").iter_rows()}


def reason_of(rows: MixRows, document: PoolDocument) -> str:
    copies = copies_in(rows).get(document.document_id, 0)
    return reason(rule_of_version(rows), rows.domains, document, copies)


def test_a_document_is_found_with_its_text_and_scores(store: Store) -> None:
    document = known(store, "b-041")
    scored = store.read_table(store.table_path(SCORED_SHARDS, "b")).row(41, named=True)
    assert document.excerpt == "text 41 of **b**"
    assert document.n_tokens == scored["n_tokens"]
    assert document.scores == {name: scored[name] for name in ("importance", "heuristics")}
    assert find_in_pool(store, "nobody") is None
    assert find_in_pool(store, "new-0") is None


@pytest.mark.parametrize("mix", [THETA_MIX, DOMAIN_MIX])
def test_reasons_are_those_of_the_rule(store: Store, settings: Settings, mix: str) -> None:
    """In the mix or not, they are what the explanation of a document says."""
    rows = read_mix(store, mix)
    for document_id in (*(f"a-{i:03}" for i in range(0, 300, 41)), "b-000", "b-089"):
        found = explain(store, settings, document_id, mix)
        assert isinstance(found, ExplainedDocument)
        why = found.in_mixes[0].why
        assert why is not None
        assert reason_of(rows, known(store, document_id)) == why.short


def test_a_version_keeps_its_rule_when_the_mix_gets_another_one(
    store: Store, settings: Settings
) -> None:
    first = read_mix(store, THETA_MIX)
    document = known(store, next(iter(copies_in(first))))
    before = reason_of(first, document)
    theta = theta_of(settings)
    nothing = theta._replace(omega=0 * theta.omega, epsilon=0 * theta.epsilon)
    put_rule(store, settings, THETA_MIX, theta_rule(store, settings, nothing))
    mix_all(store, settings, THETA_MIX)
    finish(store, settings, THETA_MIX)
    second = read_mix(store, THETA_MIX)
    assert copies_in(second) == {}
    assert reason_of(read_mix(store, THETA_MIX, first.version), document) == before
    assert reason_of(second, document) != before


def test_scores_that_have_changed_since_are_said(store: Store) -> None:
    rows = read_mix(store, THETA_MIX)
    taken = next(iter(copies_in(rows)))
    loaded = rule_of_version(rows)
    words = reason(loaded, rows.domains, known(store, taken), 7)
    assert "scores, domain or shard have changed since" in words


def test_a_domain_that_the_version_did_not_know_is_said(store: Store) -> None:
    rows = read_mix(store, THETA_MIX)
    document = known(store, "a-000")
    others = tuple(name for name in rows.domains if name != document.domain)
    words = reason(rule_of_version(rows), others, document, 0)
    assert words == f"its domain was not {document.domain} then"


def test_a_dropped_near_duplicate_is_said(store: Store, settings: Settings) -> None:
    taken = next(iter(copies_in(read_mix(store, THETA_MIX))))
    stored = theta_rule(store, settings, theta_of(settings)).stored()
    dropped = pl.DataFrame({"id_hash": hash_ids([taken]), "survivor": np.array([1], np.uint64)})
    write_rule(
        store,
        settings.mix_named(THETA_MIX),
        StoredRule(stored.values, {**stored.tables, DROPPED_TABLE: dropped}),
        {"expected_tokens": []},
    )
    mix_all(store, settings, THETA_MIX)
    finish(store, settings, THETA_MIX)
    rows = read_mix(store, THETA_MIX)
    assert taken not in copies_in(rows)
    words = reason_of(rows, known(store, taken))
    assert words == "a better near-duplicate is kept in its place"


def test_a_rule_of_another_version_of_the_software_is_said(store: Store) -> None:
    rows = read_mix(store, THETA_MIX)
    for change in ({"method": "old"}, {"options": {"old": 1}}, {"rule": {"old": 1}}):
        manifest = {**rows.manifest, **change}
        with pytest.raises(MissingOutputError, match="another version of this software"):
            rule_of_version(MixRows(store, rows.mix, rows.version, manifest))
