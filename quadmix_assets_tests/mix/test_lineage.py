from pathlib import Path

import pytest
import yaml

from quadmix_assets.mix.lineage import column_tree, lineage_table
from quadmix_assets.mix.links import Link, linked_assets
from quadmix_assets.outputs import (
    FINAL_MIX,
    PROXY_METRICS,
    RAW_SHARDS,
    REGRESSOR,
    SELECTION_RULE,
    VERIFICATION,
    mix_output,
)
from quadmix_assets.settings import PROFILES_FOLDER, Settings, load_settings
from quadmix_assets_tests.mix.explained import DOMAIN_MIX, THETA_MIX, settings_of

TIME = "2026-01-02T03:04:0{}+00:00"


def link(asset: str, partition: str | None, event: int, run: str, version: str) -> Link:
    return Link(asset, partition, event, run, TIME.format(event), version)


LINKS = [
    link(RAW_SHARDS, "a", 1, "run-1-of-many", "raw-a"),
    link(RAW_SHARDS, "b", 2, "run-2-of-many", "raw-b"),
    link(PROXY_METRICS, "batch-00000", 3, "run-3-of-many", "losses"),
    link(REGRESSOR, None, 4, "run-4-of-many", "0123456789abcdef0123"),
    link(VERIFICATION, None, 5, "", ""),
    link(mix_output("mine", SELECTION_RULE), None, 6, "run-6-of-many", "rule"),
    link(mix_output("mine", FINAL_MIX), "a", 7, "run-7-of-many", "same"),
    link(mix_output("mine", FINAL_MIX), "b", 8, "run-7-of-many", "same"),
    link("of_another_kind", None, 9, "run-9-of-many", "x"),
]


def test_the_table_goes_from_the_mix_back_to_the_input() -> None:
    table = lineage_table(LINKS)
    assert table["step"].to_list() == [
        "documents of the mix",
        "rule",
        "theta*",
        "regressor",
        "proxies",
        "text",
        "other",
    ]
    assert lineage_table(LINKS[::-1]).equals(table)
    documents = table.row(0, named=True)
    assert documents == {
        "step": "documents of the mix",
        "asset": "[mixes/mine/final_mix](/assets/mixes/mine/final_mix)",
        "partitions": 2,
        "version": "same",
        "runs": "[run-7-of](/runs/run-7-of-many)",
        "last made (UTC)": "2026-01-02 03:04:08",
    }
    assert table["version"].to_list()[3:6] == ["0123456789ab", "losses", "2 versions"]
    assert table.row(2, named=True)["runs"] == "none"
    assert table.row(2, named=True)["version"] == "unknown"
    text = table.row(5, named=True)
    assert text["runs"].index("run-2-of-many") < text["runs"].index("run-1-of-many")
    assert lineage_table([]).height == 0


def test_of_many_runs_the_last_ones_are_shown() -> None:
    links = [link(RAW_SHARDS, f"s{n}", n, f"run-{n}-of-many", "v") for n in range(9)]
    runs = lineage_table(links)["runs"][0]
    assert runs.startswith("[run-8-of]")
    assert runs.endswith("6 more")


def test_every_asset_that_a_manifest_names_has_its_step(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    for mix in settings.mixes:
        links = [link(asset, None, 1, "", "") for asset in linked_assets(settings, mix)]
        steps = lineage_table(links)["step"].to_list()
        assert "other" not in steps
        assert steps[:2] == ["documents of the mix", "rule"]


def test_the_tree_of_a_theta_goes_back_to_the_text(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    lines = column_tree(settings.mix_named(THETA_MIX), settings).splitlines()
    names = [line.lstrip("│├└─ ").split("  ")[0] for line in lines]
    assert names[0] == "copies"
    assert names.index("sampling_value") < names.index("rank") < names.index("merged_score")
    below_merged = names[names.index("merged_score") :]
    assert "sigma of importance, heuristics" in below_merged
    assert "scored_shards.importance" in below_merged
    assert "raw_shards.text" in below_merged
    assert names[-1] == "raw_shards.id"
    # Nothing that is explained already is explained again.
    explained = [line.split("  (")[0].lstrip("│├└─ ") for line in lines if "  (" in line]
    assert len([name for name in explained if name == "fitted_models"]) == 1
    assert all(len(line) < 130 for line in lines)


def test_the_tree_of_domain_rates_reads_no_scores(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    tree = column_tree(settings.mix_named(DOMAIN_MIX), settings)
    assert "domain_labels.domain" in tree
    assert "domain_proxies" in tree
    assert "scored_shards" not in tree
    assert "sigma" not in tree


def of_columns(folder: Path) -> Settings:
    """The demo with scores and domains that the input brings."""
    profile = yaml.safe_load((PROFILES_FOLDER / "demo.yaml").read_text())
    profile["features"]["criteria"] = [
        {"kind": "column", "name": "quality", "column": "planted_quality"}
    ]
    names = profile["features"]["domains"]["names"]
    profile["features"]["domains"] = {
        "kind": "column",
        "column": "planted_domain",
        "names": names,
    }
    profile["mixes"] = [{"method": "quadmix"}]
    profile["production"] = "quadmix"
    path = folder / "columns.yaml"
    path.write_text(yaml.safe_dump(profile))
    return load_settings(path)


def test_columns_of_the_input_are_named_as_such(tmp_path: Path) -> None:
    settings = of_columns(tmp_path)
    tree = column_tree(settings.production_mix, settings)
    assert "raw_shards.planted_quality" in tree
    assert "raw_shards.planted_domain" in tree
    assert "fitted_models" not in tree


@pytest.mark.parametrize("mix", [THETA_MIX, DOMAIN_MIX])
def test_the_tree_names_what_the_rule_is_fitted_on(tmp_path: Path, mix: str) -> None:
    settings = settings_of(tmp_path)
    tree = column_tree(settings.mix_named(mix), settings)
    assert all(asset in tree for asset in settings.mix_named(mix).fitted_on)


def test_near_duplicates_are_in_the_tree_of_a_mix_that_drops_them(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    mix = settings.mix_named(DOMAIN_MIX).model_copy(update={"drop_duplicates": "heuristics"})
    tree = column_tree(mix, settings)
    assert "near_duplicates  (of each cluster only the best by heuristics is taken)" in tree
    assert "duplicate_signatures" in tree
    assert "near_duplicates" not in column_tree(settings.mix_named(DOMAIN_MIX), settings)
