"""What is trained, counted by hand from the settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from quadmix_assets.plan.trainings import Training, all_trainings
from quadmix_assets.settings import Settings, TrainingSettings, load_settings
from quadmix_assets.settings.load import PACKAGE
from quadmix_assets_tests.conftest import Project

Write = Callable[[dict[str, Any]], Settings]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Settings of the demo with some sections replaced."""

    def write(changes: dict[str, Any]) -> Settings:
        values = yaml.safe_load((PACKAGE / "profiles" / "demo.yaml").read_text())
        values["evidence"] = {"enabled": False}
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(values | changes))
        return load_settings(str(path))

    return write


def by_stage(settings: Settings) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for training in all_trainings(settings):
        found.setdefault(training.stage, []).append(training.n_models)
    return found


def test_the_demo_trains_what_its_comments_say(write: Write) -> None:
    assert by_stage(write({})) == {
        "proxy_metrics": [64],
        "proxy_repeats": [4 * 2],
        # Heats of 8, 4 and 2 candidates with 1, 2 and 4 seeds; 8 seeds of 4 rivals and 3 criteria.
        "verification": [8 + 8 + 8],
        "optimum_check": [8 * 7],
    }


def test_what_settings_add_is_counted(write: Write) -> None:
    settings = write(
        {
            "mixes": [
                "quadmix",
                "regmix",
                {"method": "climb", "rounds": [6, 3]},
                {"method": "climb", "name": "second", "rounds": [5]},
            ],
            "evidence": {"enabled": True, "budgets": [2_000, 9_000], "n_seeds": 3},
            "search": {
                "objectives": [
                    {"name": name, "targets": {"planted": 1.0}} for name in ("one", "two")
                ],
                "refine": {"rounds": 2, "share": 0.3},
                "verify": {"candidates": 1},
                "fidelity": {"n_thetas": 4, "seeds": 2},
                "check_seeds": 5,
            },
            "proxies": {"repeated_thetas": 0, "domain_weights": {"n": 12}},
        }
    )
    assert by_stage(settings) == {
        "proxy_metrics": [64],
        "domain_proxies": [12],
        "climb_proxies": [14],
        "refinement": [2 * 19],
        "optimum_check": [2 * 5 * 7],
        "proxy_fidelity": [8],
        "language_model": [4 * 3, 4 * 3],
    }
    small, large = (t for t in all_trainings(settings) if t.stage == "language_model")
    # In whole steps of 4 windows of 128 tokens.
    assert small.n_tokens == 12 * 4 * 512
    assert large.n_tokens == 12 * 18 * 512


def test_flops_of_a_training_by_hand() -> None:
    """tiny: 2 layers of width 64 with an MLP of 128, windows of 128 tokens; 1,000 words."""
    recipe = TrainingSettings(architecture="tiny", n_tokens_per_proxy=5_120)
    training = Training("stage", "models", 3, recipe, n_parts=2)
    attention, mlp, scores = 4 * 64 * 64, 3 * 64 * 128, 2 * 64 * 128
    per_token = 2 * (attention + mlp + scores) + 1_000 * 64
    forward = 2 * per_token
    assert training.training_flops(1_000) == 3 * 5_120 * 3 * forward
    assert training.measuring_flops(1_000, 700) == 3 * 2 * 700 * forward


def test_trainings_of_a_finished_project_are_those_that_were_trained(tiny: Project) -> None:
    settings, store = tiny.settings, tiny.store
    expected = {training.stage: training.n_models for training in all_trainings(settings)}
    path = store.table_path("optimum_check")
    footer = store.summary(path)
    # theta* can be one of its rivals, which then is not trained.
    n_same = sum(len(footer[each.name]["same_as_theta_star"]) for each in settings.objectives)
    n_checked = store.read_table(path).select("objective", "sample", "seed").n_unique()
    assert n_checked == expected["optimum_check"] - n_same * settings.search.check_seeds
    verified = store.read_table(store.table_path("verification"))
    n_verified = verified.select("objective", "candidate", "seed").n_unique()
    # Where noise is large all heats but the first have twice the seeds.
    assert expected["verification"] <= n_verified <= 2 * expected["verification"]
