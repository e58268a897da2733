"""theta* against what it has to beat, as the UI shows it."""

import dagster as dg
import numpy as np
import pytest

from quadmix_assets.corpus.target_sets import PROOF
from quadmix_assets.outputs import OPTIMUM_CHECK
from quadmix_assets.search.optimum import read_optimum
from quadmix_assets.search.optimum_check import (
    BEST_OF_FIRST_ROUND,
    THETA_STAR,
    UNIFORM,
    read_check,
)
from quadmix_assets_tests.conftest import Project

CRITERIA = [f"best by {name}" for name in ("target_fasttext", "importance", "heuristics")]


def names_of(project: Project) -> list[str]:
    """The samples of the tiny project: all but those that are theta* itself."""
    same = read_check(project.store, project.settings, "planted").same_as_theta_star
    names = [THETA_STAR, "quadmix_paper", BEST_OF_FIRST_ROUND, UNIFORM, *CRITERIA]
    return [name for name in names if name not in same]


def test_every_sample_is_trained_with_every_seed_and_measured_on_both_parts(tiny: Project) -> None:
    losses = tiny.store.read_table(tiny.store.table_path(OPTIMUM_CHECK))
    seeds = range(tiny.settings.search.check_seeds)
    assert len(seeds) == 3
    wanted = [
        ("planted", name, k, part)
        for k in seeds
        for name in names_of(tiny)
        for part in ("proof", "search")
    ]
    assert losses.select("objective", "sample", "seed", "part").rows() == wanted
    assert (losses["status"] == "trained").all()
    assert losses["loss_nats"].n_unique() == losses.height
    assert not (tiny.store.root / f"{OPTIMUM_CHECK}_unfinished").exists()


def test_all_samples_have_the_tokens_of_theta_star(tiny: Project) -> None:
    losses = tiny.store.read_table(tiny.store.table_path(OPTIMUM_CHECK))
    expected = read_check(tiny.store, tiny.settings, "planted").tokens
    for name in names_of(tiny):
        drawn = losses.filter(losses["sample"] == name)["n_tokens_sample"].to_numpy()
        # Draws of some hundred documents scatter around what is expected.
        assert drawn.mean() == pytest.approx(expected, rel=0.1), name


def test_draws_are_fresh_for_every_seed(tiny: Project) -> None:
    losses = tiny.store.read_table(tiny.store.table_path(OPTIMUM_CHECK))
    for name in (THETA_STAR, UNIFORM):
        assert losses.filter(losses["sample"] == name)["n_tokens_sample"].n_unique() > 1
    for name in CRITERIA:
        assert losses.filter(losses["sample"] == name)["n_tokens_sample"].n_unique() == 1


def test_tables_and_verdict_say_what_was_measured(tiny: Project) -> None:
    store = tiny.store
    losses = store.read_table(store.table_path(OPTIMUM_CHECK)).filter(part=PROOF)
    result = read_check(store, tiny.settings, "planted")
    by_name = {
        name: losses.filter(losses["sample"] == name)["loss_nats"].to_numpy()
        for name in names_of(tiny)
    }
    table = {row["sample"]: row for row in result.table().iter_rows(named=True)}
    assert list(table) == list(by_name)
    for name, values in by_name.items():
        assert table[name]["mean"] == pytest.approx(values.mean())
        if name != THETA_STAR:
            gain = (values - by_name[THETA_STAR]).mean()
            assert table[name]["gain"] == pytest.approx(gain)
            assert table[name]["gain_low"] < gain < table[name]["gain_high"]
    _, prediction = read_optimum(store, tiny.settings, "planted")
    predicted = table[THETA_STAR]["predicted"]
    assert predicted == pytest.approx(prediction["predicted_for_other_seeds"])
    with tiny.instance() as instance:
        key = dg.AssetCheckKey(dg.AssetKey(OPTIMUM_CHECK), "theta_star_beats_the_swarm")
        (checked,) = instance.event_log_storage.get_asset_check_execution_history(key, 1)
    assert checked.event is not None
    evaluation = checked.event.asset_check_evaluation
    assert evaluation is not None
    assert evaluation.passed == result.passed
    words = str(evaluation.description)
    assert words.startswith("theta* of 'planted' ")
    assert "random documents: lower in " in words
    best = min(CRITERIA, key=lambda name: np.mean(list(result.on_search[name].values())))
    assert f"{best} (the best single criterion)" in words
