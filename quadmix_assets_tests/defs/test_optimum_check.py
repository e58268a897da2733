"""theta* against the swarm, as the UI shows it."""

import dagster as dg
import numpy as np
import pytest

from quadmix_assets.outputs import OPTIMUM_CHECK, PROXY_POOL
from quadmix_assets.proxies.proxy_pool import read_documents
from quadmix_assets.search.optimum import read_optimum
from quadmix_assets_tests.conftest import Project

NAMES = [
    "theta* (planted)",
    "best of the first round (planted)",
    "uniform",
    "best by target_fasttext",
    "best by importance",
    "best by heuristics",
]


def numbers_of(table: str, name: str) -> dict[str, float]:
    """By column, what a Markdown table says of the sample `name`."""
    header, _, *rows = (
        [cell.strip() for cell in line.split("|")[1:-1]] for line in table.split("\n")
    )
    (row,) = (row for row in rows if row[0].replace("\\", "") == name)
    return {column: float(cell) for column, cell in zip(header[1:], row[1:], strict=True)}


def test_every_sample_is_trained_with_every_seed(tiny: Project) -> None:
    losses = tiny.store.read_table(tiny.store.table_path(OPTIMUM_CHECK))
    seeds = range(tiny.settings.search.check_seeds)
    assert losses.select("sample", "seed").rows() == [(name, k) for name in NAMES for k in seeds]
    assert (losses["status"] == "trained").all()
    assert len(seeds) == 3
    assert losses["loss_nats"].n_unique() == losses.height
    assert not (tiny.store.root / f"{OPTIMUM_CHECK}_unfinished").exists()


def test_random_and_best_documents_are_as_many_as_those_of_theta_star(tiny: Project) -> None:
    losses = tiny.store.read_table(tiny.store.table_path(OPTIMUM_CHECK))
    tokens = dict(losses.select("sample", "n_tokens_sample").rows())
    with tiny.store.local_folder(tiny.store.root / PROXY_POOL) as folder:
        longest = read_documents(folder, ["n_tokens"])["n_tokens"].max()
    for name in NAMES[2:]:
        assert 0 <= tokens[NAMES[0]] - tokens[name] < longest


def test_tables_and_verdict_say_what_was_measured(tiny: Project) -> None:
    store = tiny.store
    losses = store.read_table(store.table_path(OPTIMUM_CHECK))
    mean = {
        name: np.mean(losses.filter(losses["sample"] == name)["loss_nats"].to_numpy())
        for name in NAMES
    }
    _, prediction = read_optimum(store, tiny.settings, "planted")
    with tiny.instance() as instance:
        record = instance.fetch_materializations(dg.AssetKey(OPTIMUM_CHECK), limit=1).records[0]
        key = dg.AssetCheckKey(dg.AssetKey(OPTIMUM_CHECK), "theta_star_beats_the_swarm")
        (checked,) = instance.event_log_storage.get_asset_check_execution_history(key, 1)
    assert record.asset_materialization is not None
    table = str(record.asset_materialization.metadata["table_planted"].value)
    for name in NAMES:
        assert numbers_of(table, name)["mean"] == pytest.approx(mean[name], abs=1e-3)
    predicted = numbers_of(table, NAMES[0])["predicted"]
    assert predicted == pytest.approx(prediction["predicted"], abs=1e-3)
    assert checked.event is not None
    evaluation = checked.event.asset_check_evaluation
    assert evaluation is not None
    better = mean[NAMES[0]] < mean[NAMES[1]]
    assert evaluation.passed == better
    assert "theta* of 'planted' " in str(evaluation.description)
    assert "of 3 seeds" in str(evaluation.description)
