"""The score report: its JSON and its plots."""

import json
import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from quadmix_assets.features.normalizers import rank_correlations
from quadmix_assets.features.report.directions import Direction
from quadmix_assets.features.report.domains import domain_counts
from quadmix_assets.features.report.score_report import ScoreReport

SCORES = pl.DataFrame({"a": [1.0, 2.0], "b": [0.0, 0.0]})
REPORT = ScoreReport(
    scores=SCORES,
    counts=domain_counts(np.array([2, 0]), np.array([8, 0]), ["law", "unknown"]),
    correlations=rank_correlations(SCORES),
    directions=[Direction("a", math.nan, "alone"), Direction("b", math.nan, "constant")],
    top_shares={0.1: np.array([[1.0, 0.0], [1.0, 0.0]])},
    mean_sigma=np.array([[13 / 8, 0.0], [math.nan, math.nan], [13 / 8, 0.0]]),
    confidence=np.array([2]),
    extremes={},
)


def test_json_has_the_numbers_and_no_nan() -> None:
    found = REPORT.as_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["documents_per_domain"] == {"law": 2, "unknown": 0}
    assert found["tokens_per_domain"] == {"law": 8, "unknown": 0}
    assert found["rank_correlation"]["a"]["b"] is None
    assert found["directions"]["b"] == {"correlation": None, "verdict": "constant"}
    assert found["domain_shares_of_top"]["0.1"]["a"]["law"] == 1.0
    assert found["mean_sigma"]["law"]["a"] == pytest.approx(13 / 8)
    assert found["mean_sigma"]["unknown"]["a"] is None
    assert found["mean_sigma"]["whole pool"]["a"] == pytest.approx(13 / 8)


@pytest.mark.parametrize("floor", [0.0, 0.4])
def test_floor_is_marked_where_there_is_one(floor: float) -> None:
    plots = replace(REPORT, confidence=np.array([0, 1, 1])).plots(floor)
    (panel,) = plots["confidence"].axes
    assert len(panel.lines) == (1 if floor else 0)
    assert "domains" in plots
