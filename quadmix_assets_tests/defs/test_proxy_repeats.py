"""Thetas trained again with other seeds, and what the UI makes of them."""

from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest

from quadmix_assets.outputs import PROXY_REPEATS, REGRESSOR
from quadmix_assets.proxies.evidence import read_evidence
from quadmix_assets.proxies.repeats import REPEATS_SCHEMA, read_repeats
from quadmix_assets.search.noise import noise_of_targets
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.defs.test_refinement import materialise, metadata


def test_the_first_thetas_are_trained_again_with_seeds_of_their_own(tiny: Project) -> None:
    store, settings = tiny.store, tiny.settings
    table = store.read_table(store.table_path(PROXY_REPEATS))
    assert dict(table.schema) == REPEATS_SCHEMA
    n, repeats = settings.proxies.repeated_thetas, settings.proxies.repeats
    expected = [(theta_id, seed) for theta_id in range(n) for seed in range(repeats)]
    assert table.select("theta_id", "seed").rows() == expected
    assert (table["status"] == "trained").all()
    assert table["part"].unique().to_list() == ["search"]
    swarm = read_evidence(store, settings).metrics
    both = pl.concat([table["loss_nats"], swarm["loss_nats"]])
    assert both.n_unique() == len(both), "no training is another one's"
    # Another draw of the same theta has about as many tokens, not the same ones.
    first = dict(swarm.select("theta_id", "n_tokens_sample").rows())
    for theta_id, n_tokens in table.select("theta_id", "n_tokens_sample").rows():
        assert n_tokens != first[theta_id]
        assert n_tokens == pytest.approx(first[theta_id], rel=0.5)
    assert not (store.root / f"{PROXY_REPEATS}_unfinished").exists()


def test_the_regressor_shows_the_noise_and_a_check_judges_it(tiny: Project) -> None:
    evidence = read_evidence(tiny.store, tiny.settings)
    repeats = read_repeats(tiny.store, tiny.settings)
    noise = noise_of_targets(evidence, repeats, ["planted"])["planted"]
    again = repeats["loss_nats"].to_numpy()
    offset = np.mean(again - evidence.losses("planted")[: len(again)])
    assert noise.offset.value == pytest.approx(offset)
    with tiny.instance() as instance:
        record = instance.fetch_materializations(dg.AssetKey(REGRESSOR), limit=1).records[0]
        key = dg.AssetCheckKey(dg.AssetKey(REGRESSOR), "targets_tell_thetas_apart")
        (check,) = instance.event_log_storage.get_asset_check_execution_history(key, 1)
    assert record.asset_materialization is not None
    shown = record.asset_materialization.metadata
    assert str(noise.reliability) in str(shown["noise"].value)
    assert shown["reliability_planted"].value == noise.reliability.value
    assert "near the optimum" in str(shown["choice"].value)
    assert "round 0" in str(shown["choice_planted"].value)
    assert check.event is not None
    evaluation = check.event.asset_check_evaluation
    assert evaluation is not None
    assert evaluation.passed == noise.tells_thetas_apart


def test_without_repeats_the_table_is_empty_and_noise_unknown(
    tiny: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tiny.copy(tmp_path / "copy")
    monkeypatch.setenv("QUADMIX_PROXIES__REPEATED_THETAS", "0")
    result = materialise(project, PROXY_REPEATS, REGRESSOR)
    assert result.success
    assert metadata(result, PROXY_REPEATS)["n_trainings"] == 0
    assert metadata(result, REGRESSOR)["noise"].startswith("unknown")
    assert read_repeats(project.store, project.settings).height == 0


def test_repeats_of_another_recipe_do_not_count(
    tiny: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tiny.copy(tmp_path / "copy")
    assert read_repeats(project.store, project.settings).height > 0
    monkeypatch.setenv("QUADMIX_PROXIES__TRAINING__LEARNING_RATE", "0.001")
    assert read_repeats(project.store, project.settings).height == 0
