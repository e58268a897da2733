"""Saving, loading and refusing fitted models, on local and other file systems."""

import json
from pathlib import Path

import numpy as np
import pytest
from upath import UPath

from quadmix_assets.features.criteria.importance import ImportanceCriterion, ImportanceSettings
from quadmix_assets.features.learned.pinned import NotFittedError, StaleModelError
from quadmix_assets_tests.features.texts import documents, prose, spam

SETTINGS = ImportanceSettings(kind="importance", target="good", n_buckets=100)


def _fitted() -> ImportanceCriterion:
    rng = np.random.default_rng(0)
    criterion = ImportanceCriterion(SETTINGS)
    criterion.fit([prose(rng)], [spam(rng)], seed=0)
    return criterion


def test_a_model_survives_a_remote_file_system() -> None:
    folder = UPath("memory://fitted/importance")
    criterion = _fitted()
    criterion.save(folder)
    batch = documents({"a": "the oven and the dough", "b": "buy cheap pills"})
    again = SETTINGS.load(folder)
    assert np.array_equal(again.score(batch), criterion.score(batch))


def test_saving_twice_gives_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        _fitted().save(tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["card.json", "log_ratios.npy"]
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_other_settings_are_refused_by_name_and_value(tmp_path: Path) -> None:
    _fitted().save(tmp_path)
    other = SETTINGS.model_copy(update={"n_buckets": 200})
    with pytest.raises(StaleModelError, match=r"n_buckets: saved 100, expected 200"):
        other.load(tmp_path)


def test_another_version_is_refused(tmp_path: Path) -> None:
    _fitted().save(tmp_path)
    card = json.loads((tmp_path / "card.json").read_text())
    (tmp_path / "card.json").write_text(json.dumps({**card, "version": "0"}))
    with pytest.raises(StaleModelError, match=r"version: saved '0'"):
        SETTINGS.load(tmp_path)


def test_another_name_is_the_same_model(tmp_path: Path) -> None:
    _fitted().save(tmp_path)
    renamed = SETTINGS.model_copy(update={"name": "dsir"}).load(tmp_path)
    assert renamed.name == "dsir"


def test_nothing_is_saved_before_fit(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError, match="fit it before it is saved"):
        ImportanceCriterion(SETTINGS).save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_missing_model_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SETTINGS.load(tmp_path / "nowhere")
