from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quadmix_assets.outputs import MERGED_RANKS, PROXY_METRICS, PROXY_POOL, TARGET_SETS
from quadmix_assets.proxies.evidence import (
    Evidence,
    evidence_version,
    is_trained,
    pool_version,
    read_current,
    read_evidence,
)
from quadmix_assets.proxies.parameter_sets import (
    n_rounds,
    read_batch,
    read_parameter_sets,
    round_of,
    write_parameter_sets,
    write_round,
)
from quadmix_assets.sampling import sample_parameters
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets.training.train_samples import METRICS_SCHEMA
from quadmix_assets_tests.proxies.thetas import BATCHES, make_settings
from quadmix_assets_tests.seed import SEED


def loss_of(number: int, target: str) -> float:
    return 4.0 + number / 10 + (0.5 if target == "other" else 0.0)


def put_metrics(
    store: Store, settings: Settings, batch: str, *, failed: tuple[int, ...] = ()
) -> None:
    rows = [
        {
            "sample_id": number,
            "target": target,
            "loss_nats": None if number in failed else loss_of(number, target),
            "bits_per_byte": None if number in failed else 1.0,
            "status": "failed" if number in failed else "trained",
            "reason": f"because of {number}" if number in failed else None,
            "n_tokens": 1,
            "n_tokens_sample": 1,
            "epochs": 1.0,
        }
        for number in reversed(list(read_batch(store, settings, batch)))
        for target in ("planted", "other")
    ]
    store.write_table(
        store.table_path(PROXY_METRICS, batch),
        pl.DataFrame(rows, schema=METRICS_SCHEMA).rename({"sample_id": "theta_id"}),
        {"version": evidence_version(store, settings, batch)},
    )


def check(evidence: Evidence, settings: Settings, numbers: list[int]) -> None:
    """Rows, features and losses of exactly these thetas, in one order."""
    thetas = sample_parameters(
        10,
        len(settings.criterion_names),
        len(settings.domain_names),
        seed=derive_seed(settings.seed, "parameter_sets"),
        omega_max=0.5,
    )
    assert evidence.theta_ids.tolist() == numbers
    found = evidence.parameters.as_features()
    np.testing.assert_array_equal(found, thetas.as_features()[numbers])
    assert evidence.rounds.tolist() == [0] * len(numbers)
    for target in ("planted", "other"):
        expected = [loss_of(number, target) for number in numbers]
        assert evidence.losses(target).tolist() == expected


def test_evidence_is_of_the_batches_that_are_trained(settings: Settings, store: Store) -> None:
    put_metrics(store, settings, BATCHES[2])
    put_metrics(store, settings, BATCHES[0])
    evidence = read_evidence(store, settings)
    check(evidence, settings, [0, 1, 2, 3, 8, 9])
    assert (evidence.n_failed, evidence.n_stale) == (0, 0)
    assert evidence.metrics["theta_id"].is_sorted()


def test_failed_thetas_are_left_out_and_counted(settings: Settings, store: Store) -> None:
    put_metrics(store, settings, BATCHES[0], failed=(0, 2))
    put_metrics(store, settings, BATCHES[2], failed=(9,))
    evidence = read_evidence(store, settings)
    check(evidence, settings, [1, 3, 8])
    assert evidence.n_failed == 3
    assert evidence.metrics.filter(pl.col("status") == "failed").height == 6


def test_nothing_but_failures_is_an_error_that_says_why(settings: Settings, store: Store) -> None:
    put_metrics(store, settings, BATCHES[2], failed=(8, 9))
    with pytest.raises(
        MissingOutputError, match="all 2 proxies failed, the first because: because"
    ):
        read_evidence(store, settings)


@pytest.mark.parametrize("change", ["pool", "targets", "tokens of targets", "thetas", "recipe"])
def test_losses_from_before_a_change_are_no_evidence(
    settings: Settings, store: Store, tmp_path: Path, change: str
) -> None:
    put_metrics(store, settings, BATCHES[0])
    put_metrics(store, settings, BATCHES[1])
    if change == "pool":
        store.write_json(store.path(PROXY_POOL, "tokens.json"), "another pool")
    elif change == "targets":
        store.write_json(store.path(TARGET_SETS, "planted.json"), "other targets")
    elif change == "tokens of targets":
        settings = make_settings(tmp_path, proxies={"max_target_tokens": 1_000})
    elif change == "thetas":
        settings = make_settings(tmp_path, seed=SEED + 1)
        write_parameter_sets(store, settings)
    else:
        tiny = {"architecture": "tiny", "n_tokens_per_proxy": 8_192, "warmup_steps": 1}
        settings = make_settings(tmp_path, proxies={"training": tiny})
    with pytest.raises(MissingOutputError, match=r"\(8 were on older ones\)"):
        read_evidence(store, settings)
    put_metrics(store, settings, BATCHES[2])
    evidence = read_evidence(store, settings)
    assert evidence.theta_ids.tolist() == [8, 9]
    assert set(evidence.metrics["theta_id"]) == {8, 9}
    assert evidence.n_stale == 8


@pytest.mark.parametrize("change", ["pool", "thetas"])
def test_ranks_of_another_pool_or_of_other_thetas_are_refused(
    settings: Settings, store: Store, tmp_path: Path, change: str
) -> None:
    table = pl.DataFrame({"theta_id": [0]})
    path = store.table_path(MERGED_RANKS, BATCHES[0])
    store.write_table(path, table, {"version": pool_version(store, BATCHES[0])})
    assert read_current(store, MERGED_RANKS, BATCHES[0]).equals(table)
    if change == "pool":
        store.write_json(store.path(PROXY_POOL, "tokens.json"), "another pool")
    else:
        write_parameter_sets(store, make_settings(tmp_path, seed=SEED + 1))
    with pytest.raises(MissingOutputError, match="materialise the asset 'merged_ranks', partition"):
        read_current(store, MERGED_RANKS, BATCHES[0])
    store.write_table(path, table)
    with pytest.raises(MissingOutputError, match="other thetas or another proxy pool"):
        read_current(store, MERGED_RANKS, BATCHES[0])


def test_how_proxies_are_spread_over_processes_is_no_change(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    put_metrics(store, settings, BATCHES[0])
    other = make_settings(tmp_path, proxies={"n_workers": 2, "stack_size": 1, "n_threads": 2})
    assert read_evidence(store, other).n_stale == 0


def test_losses_of_compiled_training_are_not_mixed_with_others(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    put_metrics(store, settings, BATCHES[0])
    before = evidence_version(store, settings, BATCHES[0])
    versions = {
        choice: evidence_version(
            store, make_settings(tmp_path, proxies={"compile": choice}), BATCHES[0]
        )
        for choice in ("auto", "off", "on")
    }
    assert versions == {"auto": before, "off": before, "on": before | {"compiled": "on"}}
    with pytest.raises(MissingOutputError, match=r"\(4 were on older ones\)"):
        read_evidence(store, make_settings(tmp_path, proxies={"compile": "on"}))


def test_no_batch_at_all(settings: Settings, store: Store) -> None:
    with pytest.raises(MissingOutputError, match="no proxy has been trained"):
        read_evidence(store, settings)


def test_a_round_adds_batches_and_touches_nothing_that_was_there(
    settings: Settings, store: Store
) -> None:
    put_metrics(store, settings, BATCHES[0])
    further = sample_parameters(5, 3, 10, seed=99, omega_max=0.5)
    assert write_round(store, settings, 1, further) == [
        "round-1-batch-00000",
        "round-1-batch-00001",
    ]
    assert n_rounds(store) == 1
    assert [round_of(batch) for batch in (BATCHES[0], "round-12-batch-00000")] == [0, 12]
    table, parameters = read_parameter_sets(store, settings)
    assert table["theta_id"].to_list() == list(range(15))
    np.testing.assert_array_equal(parameters.as_features()[10:], further.as_features())
    assert list(read_batch(store, settings, "round-1-batch-00001")) == [14]
    assert read_evidence(store, settings).n_stale == 0, "round 0 still counts"
    put_metrics(store, settings, "round-1-batch-00001")
    evidence = read_evidence(store, settings)
    assert evidence.theta_ids.tolist() == [0, 1, 2, 3, 14]
    assert evidence.rounds.tolist() == [0, 0, 0, 0, 1]
    # The same round proposed anew: what was trained for it is stale, the first round is not.
    write_round(store, settings, 1, sample_parameters(5, 3, 10, seed=98, omega_max=0.5))
    evidence = read_evidence(store, settings)
    assert (evidence.theta_ids.tolist(), evidence.n_stale) == ([0, 1, 2, 3], 1)
    write_round(store, settings, 2, further[:1])
    assert read_parameter_sets(store, settings)[0]["theta_id"].to_list() == list(range(16))
    assert n_rounds(store) == 2
    write_parameter_sets(store, settings)
    assert n_rounds(store) == 2, "the same thetas keep their rounds"
    write_round(store, settings, 1, further)
    assert n_rounds(store) == 1, "a round that is proposed anew removes those after it"
    store.write_json(store.path(PROXY_POOL, "tokens.json"), "another pool")
    assert n_rounds(store) == 0
    assert read_parameter_sets(store, settings)[0].height == 10
    with pytest.raises(MissingOutputError, match="no thetas of the proxy batch 'round-1-"):
        read_batch(store, settings, "round-1-batch-00001")


def test_batches_that_the_settings_have_no_more_are_no_evidence(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    """Their files stay in the lake; the thetas that are left are the same as before."""
    for batch in BATCHES:
        put_metrics(store, settings, batch)
    fewer = make_settings(tmp_path, parameters={"n": 4})
    write_parameter_sets(store, fewer)
    put_metrics(store, fewer, BATCHES[0])
    evidence = read_evidence(store, fewer)
    assert (evidence.theta_ids.tolist(), evidence.n_stale) == ([0, 1, 2, 3], 0)
    assert set(evidence.metrics["theta_id"]) == {0, 1, 2, 3}
    assert store.table_path(PROXY_METRICS, BATCHES[2]).exists()


def test_a_batch_is_trained_once_its_losses_are_current(settings: Settings, store: Store) -> None:
    assert not is_trained(store, settings, BATCHES[0])
    put_metrics(store, settings, BATCHES[0])
    assert is_trained(store, settings, BATCHES[0])
    assert not is_trained(store, settings, BATCHES[1])
    store.write_json(store.path(TARGET_SETS, "planted.json"), "other targets")
    assert not is_trained(store, settings, BATCHES[0])


def test_metrics_of_an_older_version_are_refused(settings: Settings, store: Store) -> None:
    put_metrics(store, settings, BATCHES[1])
    path = store.table_path(PROXY_METRICS, BATCHES[1])
    store.write_table(
        path, store.read_table(path).rename({"theta_id": "theta"}), store.summary(path)
    )
    with pytest.raises(
        MissingOutputError, match="no column 'theta_id'.*'proxy_metrics', partition 'batch-00001'"
    ):
        read_evidence(store, settings)
