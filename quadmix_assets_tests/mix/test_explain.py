from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quadmix_assets.features.normalize_pool import load_normalizers
from quadmix_assets.mix.explain import explain
from quadmix_assets.mix.explanation import ExplainedDocument, InMix, UnknownDocument
from quadmix_assets.mix.rule import StoredRule
from quadmix_assets.mix.stored_rule import DROPPED_TABLE, write_rule
from quadmix_assets.outputs import DOMAIN_LABELS, FINAL_MIX, SCORED_SHARDS, mix_output
from quadmix_assets.sampling import hash_ids, uniform_of_ids
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store
from quadmix_assets_tests.lakes import put_raw
from quadmix_assets_tests.mix.explained import (
    CRITERIA,
    DOMAIN_MIX,
    SEED,
    SHARDS,
    THETA_MIX,
    UNMADE_MIX,
    filled_store,
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
    return filled_store(settings)


def explained(store: Store, settings: Settings, document_id: str, mix: str) -> InMix:
    found = explain(store, settings, document_id, mix)
    assert isinstance(found, ExplainedDocument)
    (one,) = found.in_mixes
    return one


def mixed(store: Store, mix: str) -> pl.DataFrame:
    paths = [store.table_path(mix_output(mix, FINAL_MIX), shard) for shard in SHARDS]
    return pl.concat(store.read_table(path) for path in paths)


def test_a_document_has_its_place_scores_and_domain(store: Store, settings: Settings) -> None:
    found = explain(store, settings, "b-041")
    assert isinstance(found, ExplainedDocument)
    known = found.known
    assert (known.place.shard, known.place.row, known.place.n_documents) == ("b", 41, 90)
    assert known.excerpt == "text 41 of **b**"
    scored = store.read_table(store.table_path(SCORED_SHARDS, "b")).row(41, named=True)
    assert known.scores == {name: scored[name] for name in CRITERIA}
    assert known.n_tokens == scored["n_tokens"]
    assert known.domain == store.read_table(store.table_path(DOMAIN_LABELS, "b"))["domain"][41]
    assert [mix.mix for mix in found.in_mixes] == [THETA_MIX, DOMAIN_MIX, UNMADE_MIX]
    assert [mix.is_production for mix in found.in_mixes] == [True, False, False]


@pytest.mark.parametrize("mix", [THETA_MIX, DOMAIN_MIX])
def test_the_decision_is_that_of_the_mix(store: Store, settings: Settings, mix: str) -> None:
    """In or not, explanations say what the mix holds."""
    table = mixed(store, mix)
    inside = dict(table.select("id", "copies").iter_rows())
    for document_id in [f"a-{i:03}" for i in range(0, 300, 23)] + ["b-000", "b-089"]:
        one = explained(store, settings, document_id, mix)
        assert one.copies == one.stored_copies == inside.get(document_id, 0)
        assert not one.is_behind
        assert one.why is not None
        if document_id in inside:
            row = table.filter(pl.col("id") == document_id).row(0, named=True)
            assert one.sampling_value == row["sampling_value"]
            assert one.merged_score == row["merged_score"]
            assert one.rank == row["rank"]


def test_numbers_of_a_theta_are_those_of_the_method(store: Store, settings: Settings) -> None:
    """Equation 1 and the draw by hand, from what is stored."""
    found = explain(store, settings, "a-017", THETA_MIX)
    assert isinstance(found, ExplainedDocument)
    known, one = found.known, found.in_mixes[0]
    assert known.domain is not None
    assert one.sigma is not None and one.weights is not None and one.why is not None
    alpha = theta_of(settings).alpha[settings.domain_names.index(known.domain)]
    assert list(one.weights.values()) == alpha.tolist()
    for normalizer, name in zip(load_normalizers(store, CRITERIA), CRITERIA, strict=True):
        assert one.sigma[name] == normalizer.apply(np.array([known.scores[name]]))[0]
    by_hand = sum(one.sigma[name] * one.weights[name] for name in CRITERIA)
    assert one.merged_score == pytest.approx(by_hand)
    draw = uniform_of_ids(["a-017"], SEED)[0]
    assert one.sampling_value is not None
    assert one.copies == int(one.sampling_value) + (draw < one.sampling_value % 1)
    assert one.why.curve is not None
    assert one.why.curve.place == one.rank


def test_a_mix_of_an_earlier_rule_is_behind(store: Store, settings: Settings) -> None:
    theta = theta_of(settings)
    nothing = theta._replace(omega=0 * theta.omega, epsilon=0 * theta.epsilon)
    put_rule(store, settings, THETA_MIX, theta_rule(store, settings, nothing))
    taken = mixed(store, THETA_MIX)["id"][0]
    one = explained(store, settings, taken, THETA_MIX)
    assert one.copies == 0
    assert one.stored_copies
    assert one.is_behind


def test_a_dropped_near_duplicate_names_its_survivor(store: Store, settings: Settings) -> None:
    taken = mixed(store, THETA_MIX)["id"][0]
    stored = theta_rule(store, settings, theta_of(settings)).stored()
    gone = 77
    dropped = pl.DataFrame(
        {
            "id_hash": hash_ids([taken, "a-005"]),
            "survivor": np.array([hash_ids(["b-003"])[0], gone], dtype=np.uint64),
        }
    )
    rule = StoredRule(stored.values, {**stored.tables, DROPPED_TABLE: dropped})
    mix = settings.mix_named(THETA_MIX)
    write_rule(store, mix, rule, {"expected_tokens": []})
    one = explained(store, settings, taken, THETA_MIX)
    assert (one.copies, one.survivor) == (0, "b-003")
    kept = explained(store, settings, "b-003", THETA_MIX)
    assert (kept.survivor, kept.stands_for, kept.n_stands_for) == (None, (taken,), 1)
    gone_one = explained(store, settings, "a-005", THETA_MIX)
    assert gone_one.survivor is not None
    assert "not in the pool now" in gone_one.survivor


def test_what_cannot_be_decided_says_what_to_do(store: Store, settings: Settings) -> None:
    unmade = explained(store, settings, "a-000", UNMADE_MIX)
    assert unmade.copies is None
    assert f"mixes/{UNMADE_MIX}/selection_rule" in unmade.problem
    fresh = explain(store, settings, "new-0")
    assert isinstance(fresh, ExplainedDocument)
    assert "scored_shards" in fresh.known.problem
    assert fresh.known.excerpt == "not scored yet"
    assert all(mix.copies is None for mix in fresh.in_mixes)


def test_scores_of_another_version_of_the_shard_are_refused(
    store: Store, settings: Settings
) -> None:
    put_raw(store, "b", [{"id": "b-new", "text": "another file"}])
    with pytest.raises(ValueError, match="was made from another version"):
        explain(store, settings, "b-new")


def test_an_id_that_is_repeated_has_its_other_row_in_quarantine(
    store: Store, settings: Settings
) -> None:
    found = explain(store, settings, "a-001")
    assert isinstance(found, ExplainedDocument)
    (row,) = found.known.quarantined
    assert (row.shard, row.row) == ("a", SHARDS["a"] + 1)


def test_ids_that_are_not_in_the_pool_are_answered(store: Store, settings: Settings) -> None:
    put_raw(store, "bad", [{"id": "empty-1", "text": " "}, {"id": "full-1", "text": "words"}])
    empty = explain(store, settings, "empty-1")
    assert isinstance(empty, UnknownDocument)
    assert [row.shard for row in empty.quarantined] == ["bad"]
    put_raw(store, "copy", [{"id": "a-000", "text": "x"}, {"id": "copy-1", "text": "y"}])
    unknown = explain(store, settings, "a-00")
    assert isinstance(unknown, UnknownDocument)
    assert "a-000" in unknown.nearest
    assert list(unknown.set_aside) == ["copy"]


def test_an_unknown_mix_is_named(store: Store, settings: Settings) -> None:
    with pytest.raises(ValueError, match=f"there is no mix 'mine'; .* {THETA_MIX}, {DOMAIN_MIX}"):
        explain(store, settings, "a-000", "mine")
