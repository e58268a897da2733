from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest

from quadmix_assets.mix.guards import GuardsFailedError, check_guards, guards_of
from quadmix_assets.outputs import DOMAIN_LABELS, PROXY_METRICS, REGRESSOR, VERIFICATION
from quadmix_assets.proxies.evidence import read_evidence
from quadmix_assets.sampling.theta_json import theta_to_json
from quadmix_assets.settings.mix import Guard
from quadmix_assets.store import Store
from quadmix_assets_tests.conftest import Project

SHARDS = ["shard-00000.parquet", "shard-00001.jsonl.gz", "shard-00002.jsonl.zst"]


def set_errors(store: Store, error: Any, constant: float) -> None:
    path = store.path(REGRESSOR, "metrics.json")
    metrics = store.read_json(path)
    metrics["targets"]["planted"]["mae"]["value"] = error
    metrics["targets"]["planted"]["constant_mae"] = constant
    store.write_json(path, metrics)


def label_all(store: Store, shards: list[str], domain: str) -> None:
    for shard in shards:
        path = store.table_path(DOMAIN_LABELS, shard)
        table = store.read_table(path).with_columns(domain=pl.lit(domain))
        summary = {**store.summary(path), "counts": {domain: table.height}}
        store.write_table(path, table, summary)


def fail_proxies(store: Store, n: int) -> None:
    path = store.table_path(PROXY_METRICS, "batch-00000")
    failed = pl.col("theta_id") < n
    table = store.read_table(path).with_columns(
        status=pl.when(failed).then(pl.lit("failed")).otherwise("status"),
        reason=pl.when(failed).then(pl.lit("its loss is not finite")).otherwise("reason"),
    )
    store.write_table(path, table, store.summary(path))


def shrink_mix(store: Store) -> None:
    """theta* takes a hundredth of what it took."""
    path = store.path(VERIFICATION, "planted.json")
    found = store.read_json(path)
    found["theta"]["omega"] = [omega / 100 for omega in found["theta"]["omega"]]
    store.write_json(path, found)


@pytest.fixture
def project(tiny: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A lake in which all guards pass, and settings that accept none."""
    copied = tiny.copy(tmp_path / "copy")
    set_errors(copied.store, 0.1, 0.2)
    # The theta of a proxy is within the evidence, whichever other proxies fail.
    trained = read_evidence(copied.store, copied.settings).parameters[15]
    path = copied.store.path(VERIFICATION, "planted.json")
    found = copied.store.read_json(path)
    copied.store.write_json(path, {**found, "theta": theta_to_json(trained)})
    monkeypatch.setenv("QUADMIX_MIX__ACCEPT", "[]")
    return copied


BREAK: dict[Guard, Callable[[Store], None]] = {
    "regressor_learned_something": lambda store: set_errors(store, 0.2, 0.2),
    "theta_star_is_within_evidence": shrink_mix,
    "few_proxies_failed": lambda store: fail_proxies(store, 6),
    "labels_cover_the_pool": lambda store: label_all(store, SHARDS[:2], "unknown"),
}
WORDS = {
    "regressor_learned_something": "planted (mean error 0.2000 nats, a constant's is 0.2000)",
    "theta_star_is_within_evidence": "the theta of the mix quadmix lies outside the range of the "
    "trained thetas in ",
    "few_proxies_failed": "6 of 16 proxies failed (38%, limit 10%), the first because: its loss",
    "labels_cover_the_pool": "600 of 900 documents have the domain 'unknown' (66.7%, limit 50%)",
}


def test_every_guard_of_the_settings_is_broken_here() -> None:
    assert set(BREAK) == set(get_args(Guard))


def test_nothing_waits_where_all_pass(project: Project) -> None:
    guards = check_guards(project.store, SHARDS, project.settings, project.settings.production_mix)
    assert guards.failed == ()
    assert guards.accepted == ()


@pytest.mark.parametrize("name", get_args(Guard))
def test_failed_guard_says_what_was_found_and_what_to_do(project: Project, name: Guard) -> None:
    BREAK[name](project.store)
    with pytest.raises(GuardsFailedError) as caught:
        check_guards(project.store, SHARDS, project.settings, project.settings.production_mix)
    message = str(caught.value)
    assert f"- {name}: " in message
    assert WORDS[name] in message
    assert f"add {name} to the setting mix.accept" in message
    assert "materialise mixes/quadmix/selection_rule again" in message


@pytest.mark.parametrize("name", get_args(Guard))
def test_accepted_guard_is_recorded(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: Guard
) -> None:
    monkeypatch.setenv("QUADMIX_MIX__ACCEPT", f'["{name}"]')
    assert (
        check_guards(
            project.store, SHARDS, project.settings, project.settings.production_mix
        ).accepted
        == ()
    )
    BREAK[name](project.store)
    guards = check_guards(project.store, SHARDS, project.settings, project.settings.production_mix)
    assert guards.accepted == (name,)
    (failed,) = guards.to_json()["failed"]
    assert failed["name"] == name
    assert WORDS[name] in failed["words"]


def test_accepting_one_does_not_accept_another(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUADMIX_MIX__ACCEPT", '["few_proxies_failed"]')
    for change in BREAK.values():
        change(project.store)
    with pytest.raises(GuardsFailedError) as caught:
        check_guards(project.store, SHARDS, project.settings, project.settings.production_mix)
    assert "few_proxies_failed" not in str(caught.value)
    waiting = "regressor_learned_something, theta_star_is_within_evidence, labels_cover_the_pool"
    assert f"add {waiting} to" in str(caught.value)


def test_pool_without_domains_cannot_be_accepted(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUADMIX_MIX__ACCEPT", '["labels_cover_the_pool"]')
    label_all(project.store, SHARDS, "unknown")
    with pytest.raises(GuardsFailedError, match="all 900 documents") as caught:
        check_guards(project.store, SHARDS, project.settings, project.settings.production_mix)
    assert "mix.accept" not in str(caught.value)


def test_error_that_is_not_a_number_is_no_better_than_a_constant(project: Project) -> None:
    set_errors(project.store, float("nan"), 0.2)
    with pytest.raises(GuardsFailedError, match="regressor_learned_something"):
        check_guards(project.store, SHARDS, project.settings, project.settings.production_mix)


def test_a_theta_that_was_trained_waits_for_no_regressor(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guards of a prediction do not concern a mix that predicts nothing."""
    monkeypatch.setenv("QUADMIX_MIXES", '["best_measured"]')
    monkeypatch.setenv("QUADMIX_PRODUCTION", "best_measured")
    BREAK["regressor_learned_something"](project.store)
    BREAK["theta_star_is_within_evidence"](project.store)
    settings = project.settings
    assert check_guards(project.store, SHARDS, settings, settings.production_mix).failed == ()
    BREAK["few_proxies_failed"](project.store)
    BREAK["labels_cover_the_pool"](project.store)
    with pytest.raises(GuardsFailedError) as caught:
        check_guards(project.store, SHARDS, settings, settings.production_mix)
    assert "add few_proxies_failed, labels_cover_the_pool to" in str(caught.value)


def test_a_mix_has_the_guards_of_what_it_uses(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "QUADMIX_MIXES",
        '["quadmix", "quadmix_paper", "best_measured", "proportional", "random"]',
    )
    found = {mix.name: guards_of(project.settings, mix) for mix in project.settings.mixes}
    every = get_args(Guard)
    assert found == {
        "quadmix": every,
        "quadmix_paper": tuple(name for name in every if "evidence" not in name),
        "best_measured": every[2:],
        "proportional": ("labels_cover_the_pool",),
        "random": (),
    }
