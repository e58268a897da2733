import polars as pl
import pytest

from quadmix_assets.comparison.published import published_results
from quadmix_assets.evidence.tasks.abilities import ABILITIES, ability_of
from quadmix_assets.settings import TaskSettings


@pytest.mark.parametrize("method", ["QuaDMix-OH", "QuaDMix-BMK"])
def test_groups_are_those_of_the_published_averages(method: str) -> None:
    published = published_results().filter(method=method)
    groups = dict(published.filter(published_table=1).select("score", "percent").iter_rows())
    tasks = published.filter(published_table=3)
    reading = tasks.filter(
        pl.col("score").replace_strict(dict(ABILITIES)) == "reading comprehension"
    )
    assert reading.height == 3
    assert reading["percent"].mean() == pytest.approx(groups["reading comprehension"], abs=0.05)
    nine = [ability for name, ability in ABILITIES.items() if name != "mmlu_continuation"]
    mean = sum(groups[ability] for ability in nine) / len(nine)
    assert mean == pytest.approx(groups["average"], abs=0.1)


def test_settings_come_before_the_paper() -> None:
    assert ability_of(TaskSettings(name="svamp")) == "math"
    assert ability_of(TaskSettings(name="own")) == "knowledge"
    assert ability_of(TaskSettings(name="piqa", ability="math")) == "math"
