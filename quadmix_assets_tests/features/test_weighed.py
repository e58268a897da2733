"""Scores that theta does not weigh: in every table of scores, in no theta."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from quadmix_assets.features.criteria.heuristics import HeuristicsSettings
from quadmix_assets.settings import (
    PROFILES_FOLDER,
    Settings,
    SettingsError,
    load_settings,
    settings_hash,
)

DEMO = yaml.safe_load((PROFILES_FOLDER / "demo.yaml").read_text())
PAIR: list[dict[str, Any]] = [
    {"kind": "importance", "target": "planted", "weighed": False},
    {"kind": "heuristics"},
    {"kind": "target_fasttext", "target": "planted"},
]


def changed(folder: Path, criteria: list[dict[str, Any]]) -> Settings:
    path = folder / "mine.yaml"
    features = {**DEMO["features"], "criteria": criteria}
    path.write_text(yaml.safe_dump({**DEMO, "features": features}))
    return load_settings(path)


def test_scores_hold_all_and_theta_weighs_some(tmp_path: Path) -> None:
    settings = changed(tmp_path, PAIR)
    assert settings.criterion_names == ("heuristics", "target_fasttext")
    assert settings.score_names == ("heuristics", "target_fasttext", "importance")


def test_at_least_one_is_weighed(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="none is weighed: theta needs at least one"):
        changed(tmp_path, PAIR[:1])


@pytest.mark.parametrize(
    ("asset", "is_affected"),
    [
        ("fitted_models", False),
        ("scored_shards", False),
        ("score_report", True),
        ("parameter_sets", True),
    ],
)
def test_weighing_a_criterion_scores_nothing_again(
    tmp_path: Path, asset: str, is_affected: bool
) -> None:
    before, after = (
        changed(tmp_path, PAIR),
        changed(tmp_path, [{**PAIR[0], "weighed": True}, *PAIR[1:]]),
    )
    assert (settings_hash(before, asset) != settings_hash(after, asset)) == is_affected


def test_a_fitted_model_stays_when_it_is_weighed(tmp_path: Path) -> None:
    HeuristicsSettings(kind="heuristics").make().save(tmp_path)
    assert HeuristicsSettings(kind="heuristics", weighed=False).load(tmp_path).name == "heuristics"
