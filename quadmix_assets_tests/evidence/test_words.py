"""Whatever results and comparisons name has words, and words are no names of columns."""

from pathlib import Path

import numpy as np

from quadmix_assets.comparison.measures import measures_of
from quadmix_assets.evidence.losses import SetLosses
from quadmix_assets.evidence.tasks.scores import choice_scores, open_scores
from quadmix_assets.evidence.words import KINDS, METRICS, MODELS, SETS, measure_in_words
from quadmix_assets.settings import load_settings
from quadmix_assets_tests.comparison.measured_mixes import PROFILE, results_of
from quadmix_assets_tests.conftest import write_profile


def test_every_metric_that_is_measured_has_words() -> None:
    ones = np.ones(2)
    losses = SetLosses(np.ones((2, 1)), ones, ones, np.ones((2, 1)), np.full(2, 4))
    chosen = {
        "filtered_resps": [(-1.0, False), (-2.0, False)],
        "arguments": [("q", " a"), ("q", " b")],
        "acc": 1.0,
        "acc_norm": 1.0,
    }
    written = {"exact_match": 1.0, "arguments": [("q",)], "target": "a"}
    measured = {value.metric for value in losses.values_of(0)}
    measured |= {row["metric"] for row in choice_scores([chosen], [0])}
    measured |= {row["metric"] for row in open_scores([written], lambda _: np.ones(1))}
    assert measured == set(METRICS)


def test_kinds_and_measures_have_words(tmp_path: Path) -> None:
    found = results_of("quadmix", 0.0)
    settings = load_settings(write_profile(tmp_path, **PROFILE))
    assert set(found["kind"]) == set(KINDS) >= set(SETS)
    assert set(found["model"]) == set(MODELS)
    words = [measure_in_words(measure.name) for measure in measures_of(settings, found)]
    assert words == [
        "objective planted",
        "loss on held-out sets",
        "accuracy on tasks",
        "probability of the right choice",
    ]
    shown = [*METRICS.values(), *KINDS.values(), *SETS.values(), *MODELS.values(), *words]
    assert not any("_" in each for each in shown)
