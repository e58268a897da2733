"""Fitting and storing the rule of a mix: what it reads, and what it says of itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quadmix_assets.mix import rule_drift as rule_drift_module
from quadmix_assets.mix.documents import Documents
from quadmix_assets.mix.final_mix import mix_shard
from quadmix_assets.mix.fit_rule import fit_rule
from quadmix_assets.mix.methods.theta_rule import ThetaRule
from quadmix_assets.mix.pool import read_documents
from quadmix_assets.mix.rule_counts import counts_path
from quadmix_assets.mix.rule_drift import rule_drift
from quadmix_assets.mix.stored_rule import read_rule, read_rule_values
from quadmix_assets.outputs import (
    RULE_COUNTS,
    RULE_SUMMARY,
    SCORED_SHARDS,
    SELECTION_RULE,
    VERIFICATION,
    mix_output,
)
from quadmix_assets.sampling import rank_within_domains
from quadmix_assets.search.optimum import read_optimum
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.conftest import Project

SHARDS = ["shard-00000.parquet", "shard-00001.jsonl.gz", "shard-00002.jsonl.zst"]
MIX = "quadmix"
RULE = mix_output(MIX, SELECTION_RULE)


@pytest.fixture
def project(tiny: Project, tmp_path: Path) -> Project:
    return tiny.copy(tmp_path / "copy")


def test_rule_is_read_back_as_it_was_fitted(project: Project) -> None:
    made = fit_rule(project.store, project.settings, MIX)
    loaded = read_rule(project.store, project.settings, MIX)
    assert isinstance(made.rule, ThetaRule) and isinstance(loaded.rule, ThetaRule)
    assert loaded.rule.theta.omega.tobytes() == made.rule.theta.omega.tobytes()
    assert loaded.rule.calibration.to_frame().equals(made.rule.calibration.to_frame())
    assert loaded.rule.seed == made.rule.seed
    assert made.n_documents == project.settings.corpus.planted.n_documents
    values = loaded.values
    assert (values["method"], values["objective"], values["tokens"]) == ("quadmix", "planted", None)
    assert values["expected_tokens"] == made.expected_tokens.tolist()
    assert values["prediction"]["unit"] == "nats"


def test_equal_rules_have_equal_bytes(project: Project) -> None:
    before = project.store.fingerprint(project.store.root / RULE)
    fit_rule(project.store, project.settings, MIX)
    assert project.store.fingerprint(project.store.root / RULE) == before


def test_a_new_search_changes_nothing_before_the_rule_is_fitted_again(project: Project) -> None:
    store, settings = project.store, project.settings
    before = read_rule(store, settings, MIX)
    path = store.path(VERIFICATION, "planted.json")
    optimum = store.read_json(path)
    optimum["theta"]["omega"] = [0.123] * len(settings.domain_names)
    store.write_json(path, optimum)
    assert set(read_optimum(store, settings, "planted")[0].omega) == {0.123}
    after = read_rule(store, settings, MIX)
    assert isinstance(before.rule, ThetaRule) and isinstance(after.rule, ThetaRule)
    assert after.rule.theta.omega.tobytes() == before.rule.theta.omega.tobytes()
    assert after.fingerprints == before.fingerprints


def test_tokens_are_those_of_the_mix_then_of_the_constraints(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = fit_rule(project.store, project.settings, MIX)
    half = int(free.expected_tokens.sum() / 2)
    monkeypatch.setenv("QUADMIX_SEARCH__CONSTRAINTS__MIX_TOKENS", str(half))
    bound = fit_rule(project.store, project.settings, MIX)
    assert bound.tokens == half
    assert bound.expected_tokens.sum() == pytest.approx(half, rel=0.1)
    monkeypatch.setenv("QUADMIX_MIXES", f'[{{"method": "quadmix", "tokens": {half // 2}}}]')
    assert fit_rule(project.store, project.settings, MIX).tokens == half // 2


def test_size_of_another_mix_is_what_its_rule_takes(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixes = '["quadmix", {"method": "best_measured", "name": "same", "tokens": "quadmix"}]'
    monkeypatch.setenv("QUADMIX_MIXES", mixes)
    store, settings = project.store, project.settings
    size = sum(read_rule_values(store, MIX)["expected_tokens"])
    made = fit_rule(store, settings, "same")
    assert made.tokens == size
    store.remove_folder(store.root / RULE)
    with pytest.raises(MissingOutputError, match=RULE):
        fit_rule(store, settings, "same")


def test_a_size_that_the_pool_has_not_is_said_with_the_mix(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUADMIX_MIXES", f'[{{"method": "quadmix", "tokens": {10**15}}}]')
    words = f"the mix quadmix cannot be made: .* tokens are asked for.*; then materialise {RULE}"
    with pytest.raises(ValueError, match=words):
        fit_rule(project.store, project.settings, MIX)


def test_a_seed_of_its_own_gives_another_draw(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = fit_rule(project.store, project.settings, MIX)
    monkeypatch.setenv("QUADMIX_MIXES", '[{"method": "quadmix", "seed": 7}]')
    own = fit_rule(project.store, project.settings, MIX)
    assert isinstance(common.rule, ThetaRule) and isinstance(own.rule, ThetaRule)
    assert own.rule.seed != common.rule.seed
    np.testing.assert_array_equal(own.rule.theta.omega, common.rule.theta.omega)


def test_rule_of_another_method_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUADMIX_MIXES", '[{"method": "best_measured", "name": "quadmix"}]')
    with pytest.raises(MissingOutputError, match=f"method 'quadmix', .* '{RULE}' again"):
        read_rule(project.store, project.settings, MIX)


def test_tables_of_an_interrupted_fit_are_refused(project: Project) -> None:
    store = project.store
    path = store.table_path(RULE, "calibration")
    store.write_table(path, store.read_table(path).head(5))
    with pytest.raises(MissingOutputError, match=f"was interrupted: .* '{RULE}' again"):
        read_rule(store, project.settings, MIX)


def test_tables_of_an_earlier_rule_go_with_it(project: Project) -> None:
    store = project.store
    other = store.table_path(RULE, "of_another_method")
    store.write_table(other, store.read_table(store.table_path(RULE, "calibration")))
    fit_rule(store, project.settings, MIX)
    assert not other.exists()


def test_missing_rule_is_named(project: Project) -> None:
    project.store.remove_folder(project.store.root / RULE)
    with pytest.raises(MissingOutputError, match=f"materialise the asset '{RULE}'"):
        read_rule(project.store, project.settings, MIX)


def test_rule_has_not_drifted_from_its_own_pool(project: Project) -> None:
    found = rule_drift(project.store, SHARDS, project.settings, MIX)
    assert set(found.by_domain) <= set(project.settings.domain_names)
    assert max(found.by_domain.values()) < 1e-9
    np.testing.assert_array_equal(found.taken_before, found.taken_now)


def test_a_pool_that_lost_its_best_documents_has_drifted(project: Project) -> None:
    store = project.store
    path = store.table_path(SCORED_SHARDS, SHARDS[0])
    scored = store.read_table(path)
    worse = scored.with_columns(importance=scored["importance"] - 100.0)
    store.write_table(path, worse, store.summary(path))
    found = rule_drift(store, SHARDS, project.settings, MIX)
    assert max(found.by_domain.values()) > 0.05


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The shards whose documents the check of the rule reads."""
    shards_read: list[str] = []
    plain = rule_drift_module.read_documents

    def noted(store: Store, shards: list[str], *rest: Any, **options: Any) -> Documents:
        shards_read.extend(shards)
        return plain(store, shards, *rest, **options)

    monkeypatch.setattr(rule_drift_module, "read_documents", noted)
    return shards_read


def forget_counts(store: Store) -> None:
    for what in (RULE_SUMMARY, RULE_COUNTS):
        store.remove_folder(store.root / mix_output(MIX, what))


def test_drift_of_a_rule_reads_no_row_of_a_shard_twice(project: Project, read: list[str]) -> None:
    store, settings = project.store, project.settings
    forget_counts(store)
    rule_drift(store, SHARDS[:2], settings, MIX)
    found = rule_drift(store, SHARDS, settings, MIX)
    assert read == SHARDS, "each once"
    read.clear()
    store.remove_folder(store.root / mix_output(MIX, RULE_SUMMARY))
    again = rule_drift(store, SHARDS, settings, MIX)
    assert read == [], "what was counted of shards is kept"
    assert again.by_domain == found.by_domain


def test_a_rule_counts_what_it_is_fitted_on_and_a_mix_what_it_decides_on(
    project: Project, read: list[str]
) -> None:
    store, settings = project.store, project.settings
    forget_counts(store)
    measured = rule_drift(store, SHARDS, settings, MIX)
    total = store.fingerprint(store.root / mix_output(MIX, RULE_SUMMARY))
    kept = {s: counts_path(store, MIX, s).read_bytes() for s in SHARDS}
    assert read == SHARDS
    read.clear()
    forget_counts(store)
    fit_rule(store, settings, MIX)
    assert store.fingerprint(store.root / mix_output(MIX, RULE_SUMMARY)) == total
    by_fit = rule_drift(store, SHARDS, settings, MIX)
    forget_counts(store)
    loaded = read_rule(store, settings, MIX)
    for shard in SHARDS:
        mix_shard(store, shard, settings, MIX, loaded)
        assert counts_path(store, MIX, shard).read_bytes() == kept[shard]
    by_mix = rule_drift(store, SHARDS, settings, MIX)
    assert store.fingerprint(store.root / mix_output(MIX, RULE_SUMMARY)) == total
    assert read == []
    for found in (by_fit, by_mix):
        assert found.by_domain == measured.by_domain
        np.testing.assert_array_equal(found.taken_now, measured.taken_now)
        assert found.max_error == measured.max_error < 0.005


def test_ranks_are_off_by_what_the_calibration_of_the_pool_now_says(project: Project) -> None:
    store, settings = project.store, project.settings
    found = rule_drift(store, SHARDS[:1], settings, MIX)
    loaded = read_rule(store, settings, MIX)
    documents = read_documents(store, SHARDS[:1], settings, settings.mix_named(MIX))
    made = loaded.decide(documents)
    assert made.merged_score is not None and made.rank is not None
    now = rank_within_domains(made.merged_score, documents.domains, documents.n_tokens)
    for index, domain in enumerate(settings.domain_names):
        mine = documents.domains == index
        if mine.any():
            off = np.abs(now[mine] - made.rank[mine]).max()
            assert off <= found.rank_error[domain] + found.max_error + 1e-9
