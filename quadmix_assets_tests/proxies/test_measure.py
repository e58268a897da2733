"""A target set is measured by the loss of its text, or by its choices."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from quadmix_assets.proxies.measure import with_measure
from quadmix_assets.settings import Settings, SettingsError, load_settings, settings_used
from quadmix_assets.store import MissingOutputError
from quadmix_assets_tests.conftest import write_profile

METRICS = pl.DataFrame(
    {
        "theta_id": [0, 0, 1, 1],
        "target": ["exam", "planted"] * 2,
        "status": ["trained", "trained", "failed", "failed"],
        "loss_nats": [4.0, 3.0, None, None],
        "choice_nats": [1.5, None, None, None],
    }
)


def settings_with(folder: Path, scale: str = "nats", **exam: Any) -> Settings:
    targets = [{"name": "planted"}, {"name": "exam", "path": "exam.jsonl", **exam}]
    objectives = [{"name": "planted", "targets": {"exam": 1.0, "planted": 1.0}, "scale": scale}]
    return load_settings(write_profile(folder, targets=targets, search={"objectives": objectives}))


def test_only_sets_that_are_measured_by_their_choices_change(tmp_path: Path) -> None:
    found = with_measure(METRICS, settings_with(tmp_path, format="mmlu", measure="choice"))
    assert found["loss_nats"].to_list() == [1.5, 3.0, None, None]
    assert found.drop("loss_nats").equals(METRICS.drop("loss_nats"))
    assert with_measure(METRICS, settings_with(tmp_path, format="mmlu")).equals(METRICS)


def test_a_set_without_choices_cannot_be_measured_by_them(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, format="mmlu", measure="choice")
    without = METRICS.with_columns(pl.lit(None, pl.Float64).alias("choice_nats"))
    with pytest.raises(MissingOutputError, match=r"targets\[exam\]\.measure is 'choice', but"):
        with_measure(without, settings)
    for format in (None, "triviaqa"):
        with pytest.raises(SettingsError, match="gives no choices: set a format of multiple"):
            settings_with(tmp_path, format=format, measure="choice")
    with pytest.raises(SettingsError, match="scale is bits_per_byte, which choices do not have"):
        settings_with(tmp_path, "bits_per_byte", format="mmlu", measure="choice")


def test_what_a_set_is_measured_by_makes_no_proxy_stale(tmp_path: Path) -> None:
    before = settings_with(tmp_path, format="mmlu")
    after = settings_with(tmp_path, format="mmlu", measure="choice")
    for asset in ("target_sets", "proxy_metrics"):
        assert settings_used(before, asset) == settings_used(after, asset)
    for asset in ("regressor", "optimal_params", "optimum_check"):
        assert settings_used(before, asset) != settings_used(after, asset)
