from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from quadmix_assets.comparison.ablations import ablation_table, ablations_of
from quadmix_assets.comparison.evidence import read_evidence_of_mixes
from quadmix_assets.settings import load_settings
from quadmix_assets.store import Store
from quadmix_assets_tests.comparison.measured_mixes import PROFILE, WORSE, put_measured
from quadmix_assets_tests.conftest import write_profile

BASE = {"method": "quadmix"}


def found(
    folder: Path, *others: dict[str, Any], sizes: dict[str, int] | None = None
) -> list[tuple[str, ...]]:
    """The ablations of a profile with the mix `quadmix` in production, and further ones."""
    changes = {
        "mixes": [*others, BASE],
        "production": "quadmix",
        "features": {"near_duplicates": {"enabled": True}},
    }
    settings = load_settings(write_profile(folder, **changes))
    n_tokens = dict.fromkeys(settings.mix_names, 1_000) | (sizes or {})
    return [tuple(ablation) for ablation in ablations_of(settings, n_tokens)]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"method": "quadmix", "criteria_off": ["heuristics"]},
         ("criteria_off", "none", "heuristics")),
        ({"method": "quadmix", "drop_duplicates": True}, ("drop_duplicates", "off", "on")),
        ({"method": "quadmix", "seed": 77}, ("seed", None, "77")),
        ({"method": "quadmix_paper"}, ("method", "quadmix", "quadmix_paper")),
        ({"method": "best_measured"}, ("method", "quadmix", "best_measured")),
        # What is set to its default is no option.
        ({"method": "quadmix_paper", "objective": "planted"},
         ("method", "quadmix", "quadmix_paper")),
    ],
)  # fmt: skip
def test_one_option_is_an_ablation(
    tmp_path: Path, other: dict[str, Any], expected: tuple[str, str | None, str]
) -> None:
    (ablation,) = found(tmp_path, {"name": "other", **other})
    option, mix, name, value, other_value = ablation
    assert (option, mix, name, other_value) == (expected[0], "quadmix", "other", expected[2])
    assert expected[1] in (None, value)


@pytest.mark.parametrize(
    "other",
    [
        {"method": "random"},
        {"method": "top_k", "criterion": "heuristics"},
        {"method": "quadmix", "criteria_off": ["heuristics"], "seed": 7},
        {"method": "quadmix_paper", "drop_duplicates": True},
        # The same mix under another name.
        {"method": "quadmix", "objective": "planted"},
    ],
)
def test_other_pairs_are_none(tmp_path: Path, other: dict[str, Any]) -> None:
    assert found(tmp_path, {"name": "other", **other}) == []


def test_sizes_count_as_they_came_out(tmp_path: Path) -> None:
    larger = {"method": "quadmix", "name": "larger", "tokens": 3_000}
    ablations = found(tmp_path, larger, sizes={"larger": 3_000})
    assert ablations == [("tokens", "quadmix", "larger", "1,000", "3,000")]
    # Without near-duplicates a mix is smaller: that is not the effect of leaving them out alone.
    fewer = {"method": "quadmix", "name": "fewer", "drop_duplicates": True}
    assert found(tmp_path, fewer, sizes={"fewer": 900}) == []
    assert len(found(tmp_path, fewer, sizes={"fewer": 995})) == 1


def test_gains_are_those_of_production_over_the_other(tmp_path: Path) -> None:
    settings = load_settings(write_profile(tmp_path, **PROFILE))
    store = Store(UPath(tmp_path / "lake"))
    put_measured(store)
    table = ablation_table(settings, read_evidence_of_mixes(store, settings))
    assert set(table["option"]) == {"method"} and set(table["other"]) == {"theta_only"}
    held_out = table.filter((table["measure"] == "held_out") & (table["budget"] == 4_000))
    assert held_out["gain"].to_list() == pytest.approx([WORSE["theta_only"]] * 2, abs=0.02)
    assert held_out["n_seeds"].to_list() == [3, 1], "language models, and the trigram"
