"""A criterion is taken away: old proxies stay evidence for the regressors, not for the choice."""

from pathlib import Path

import numpy as np
import pytest

from quadmix_assets.outputs import ARCHIVED_METRICS, ARCHIVED_READS, PROXY_METRICS, REGRESSOR
from quadmix_assets.proxies.archive import archive_batch
from quadmix_assets.proxies.evidence import read_evidence
from quadmix_assets.report.columns import columns_of
from quadmix_assets.search.fit import make_regressor_inputs
from quadmix_assets.search.reuse import read_reused
from quadmix_assets_tests.conftest import Project, write_profile
from quadmix_assets_tests.defs.test_refinement import materialise, metadata

CRITERIA = [{"kind": kind, "target": "planted"} for kind in ("target_fasttext", "importance")]


@pytest.fixture(scope="module")
def project(tiny: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The finished project after everything has been made again for two criteria."""
    copied = tiny.copy(tmp_path_factory.mktemp("reuse") / "copy")
    write_profile(copied.folder, features={"criteria": CRITERIA})
    assert copied.run(resume=True)
    return copied


def test_losses_of_other_thetas_are_kept_with_what_was_read(
    tiny: Project, project: Project
) -> None:
    store = project.store
    before = read_evidence(tiny.store, tiny.settings)
    names = sorted(path.name for path in (store.root / ARCHIVED_METRICS).glob("*.parquet"))
    assert len(names) == 2, "one for each batch"
    kept = [store.read_table(store.path(ARCHIVED_METRICS, name)) for name in names]
    losses = sorted(loss for table in kept for loss in table["loss_nats"])
    assert losses == sorted(before.losses("planted"))
    for output in (ARCHIVED_METRICS, ARCHIVED_READS):
        table = store.read_table(store.path(output, names[0]))
        assert set(columns_of(output, project.settings)) == set(table.columns)


def test_regressors_learn_from_them_and_nothing_else_does(
    tiny: Project, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = materialise(project, REGRESSOR)
    found = metadata(result, REGRESSOR)
    assert (found["n_proxies"], found["n_reused"]) == (16, 16)
    assert "16 of 16 proxies of earlier thetas" in found["reused"]
    evidence = read_evidence(project.store, project.settings)
    assert len(evidence.theta_ids) == 16
    inputs_of = make_regressor_inputs(project.store, project.settings)
    reused = read_reused(project.store, project.settings, evidence, inputs_of)
    old = read_evidence(tiny.store, tiny.settings).losses("planted")
    assert sorted(reused.losses["planted"]) == sorted(old)
    assert np.isfinite(reused.inputs).all()
    monkeypatch.setenv("QUADMIX_SEARCH__REUSE_PROXIES", "false")
    assert metadata(materialise(project, REGRESSOR), REGRESSOR)["n_reused"] == 0


def test_losses_of_another_recipe_are_not_kept(
    tiny: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = tiny.copy(tmp_path / "copy")
    batch = "batch-00000"
    assert not archive_batch(copied.store, copied.settings, batch), "they are the present ones"
    path = copied.store.table_path(PROXY_METRICS, batch)
    version = copied.store.summary(path)["version"]
    monkeypatch.setenv("QUADMIX_PROXIES__TRAINING__LEARNING_RATE", "0.001")
    assert not archive_batch(copied.store, copied.settings, batch)
    assert isinstance(version, dict)
    assert not (copied.store.root / ARCHIVED_METRICS).exists()
