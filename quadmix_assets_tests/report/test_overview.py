"""The overview: its numbers against the tables, and what it says to do."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from upath import UPath

from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    FINAL_MIX,
    OPTIMUM_CHECK,
    QUARANTINE,
    RAW_SHARDS,
    SCORE_REPORT,
    SCORED_SHARDS,
    mix_output,
)
from quadmix_assets.report.next_steps import next_steps
from quadmix_assets.report.overview import Made, Overview, read_overview
from quadmix_assets.report.overview_page import SHOWN_AT_ONCE, overview_sections
from quadmix_assets.settings import load_settings
from quadmix_assets.store import Store
from quadmix_assets_tests.conftest import Project, write_profile
from quadmix_assets_tests.lakes import change_output, put_raw

DOCUMENTS = mix_output("quadmix", FINAL_MIX)
ALL_MADE = (Made("raw_shards", 3, 3, True), Made("mixes/quadmix/mix_manifest", 1, 1, False))


@dataclass(frozen=True)
class Swarm:
    n_batches: int = 8
    n_done: int = 3
    n_proxies: int = 64
    n_failed: int = 2
    eta_seconds: float = 720.0


@dataclass(frozen=True)
class Failed:
    asset: str
    name: str
    severity: str = "ERROR"
    description: str = "too few; do *this*"


def shards_of(project: Project) -> list[str]:
    folder = Path(str(project.store.root / RAW_SHARDS))
    return sorted(path.stem for path in folder.glob("*.parquet"))


def overview_of(project: Project, **changes: Any) -> Overview:
    known: dict[str, Any] = {"swarm": Swarm(), "made": ALL_MADE, **changes}
    return read_overview(project.store, project.settings, shards_of(project), **known)


def concat(store: Store, asset: str, shards: Sequence[str]) -> pl.DataFrame:
    return pl.concat(store.read_table(store.table_path(asset, shard)) for shard in shards)


def test_numbers_are_those_of_the_tables(tiny: Project) -> None:
    store, shards = tiny.store, shards_of(tiny)
    found = overview_of(tiny)
    raw, mix = concat(store, RAW_SHARDS, shards), concat(store, DOCUMENTS, shards)
    assert found.pool.n_shards == found.pool.n_read == len(shards)
    assert found.pool.n_documents == raw.height
    assert found.pool.n_bytes == raw["n_bytes"].sum()
    rejected = concat(store, QUARANTINE, shards)
    assert found.pool.quarantined == dict(rejected.group_by("reason").len().rows())
    made = found.production
    assert made.n_documents == mix.height
    assert made.n_copies == mix["copies"].sum()
    assert made.n_tokens == (mix["copies"] * mix["n_tokens"]).sum()
    assert made.max_copies == mix["copies"].max()
    labelled = concat(store, DOMAIN_LABELS, shards).join(
        concat(store, SCORED_SHARDS, shards), on="id"
    )
    before = dict(labelled.group_by("domain").agg(pl.col("n_tokens").sum()).rows())
    after = dict(mix.group_by("domain").agg((pl.col("n_tokens") * pl.col("copies")).sum()).rows())
    for domain, n_before, n_after in found.domains.rows():
        assert n_before == before.get(domain, 0)
        assert n_after == after.get(domain, 0)
    check = store.read_table(store.table_path(OPTIMUM_CHECK))
    assert found.theta_star is not None
    for sample, _, loss, seeds in found.theta_star.measured.rows():
        rows = check.filter(pl.col("sample") == sample, pl.col("part") == "proof")
        assert loss == pytest.approx(rows["loss_nats"].mean())
        assert seeds == rows["seed"].n_unique()


def test_before_a_mix_tokens_come_from_the_score_report(tiny: Project, tmp_path: Path) -> None:
    store = Store(UPath(tmp_path))
    report = {"tokens_per_domain": {"law": 30, "unknown": 10}}
    store.write_json(store.path(SCORE_REPORT, "score_report.json"), report)
    found = read_overview(store, tiny.settings, ["a"], swarm=None, made=())
    assert found.n_tokens == 40
    assert found.unknown_share == 0.25
    assert not found.production.is_made
    sections = overview_sections(found)
    domains = sections["domains before and after"]
    assert isinstance(domains, pl.DataFrame)
    assert domains.row(0) == ("law", "█" * 15 + " 75.0%", "–", "–")
    assert "domain of 25.0% of the tokens is unknown" in sections["left out"]


def test_it_says_how_far_the_evidence_is_and_links_the_report(tmp_path: Path) -> None:
    settings = load_settings(write_profile(tmp_path))
    store = Store(UPath(tmp_path / "lake"))

    def evidence_of(*made: Made) -> str | pl.DataFrame | None:
        found = read_overview(store, settings, ["a"], swarm=None, made=made)
        return overview_sections(found).get("evidence")

    report = Made("report", 1, 1, is_partitioned=False)
    assert evidence_of(Made("report", 0, 1, is_partitioned=False)) is None
    without_models = evidence_of(report)
    assert isinstance(without_models, str) and "comparison_table" not in without_models
    assert "[report](/assets/report)" in without_models
    assert "quadmix --profile tiny report" in without_models
    partly = evidence_of(
        Made("mixes/quadmix/language_model", 1, 1, is_partitioned=False),
        Made("mixes/quadmix/benchmark_results", 0, 1, is_partitioned=False),
        Made("comparison_table", 0, 1, is_partitioned=False),
    )
    assert partly == (
        "Language models are trained on 1 and measured for 0 of 1 mixes; "
        "[comparison_table](/assets/comparison_table) will compare them."
    )


def test_page_names_what_was_left_out_and_where_the_swarm_stands(tmp_path: Path) -> None:
    settings = load_settings(write_profile(tmp_path))
    store = Store(UPath(tmp_path / "lake"))
    put_raw(store, "good", [{"id": "a", "text": "Text."}, {"id": "b", "text": " "}])
    path = store.table_path(RAW_SHARDS, "copy_of_good")
    aside = {"kind": "duplicate", "message": "holds the ids of `good`|: delete it"}
    summary = {"n_rows": 0, "n_documents": 0, "n_bytes": 0, "quarantined": {}, "set_aside": aside}
    store.write_table(path, pl.DataFrame({"id": ["a"]}).clear(), summary)
    found = read_overview(
        store, settings, ["copy_of_good", "good", "new"], swarm=Swarm(), made=ALL_MADE
    )
    assert (found.pool.n_shards, found.pool.n_read, found.pool.n_documents) == (3, 1, 1)
    sections = overview_sections(found)
    aside_table, quarantine = sections["shards set aside"], sections["quarantine"]
    assert isinstance(aside_table, pl.DataFrame) and isinstance(quarantine, pl.DataFrame)
    assert aside_table.rows() == [("copy_of_good", "duplicate", aside["message"])]
    assert quarantine["rows"].to_list() == [1]
    assert "1 of 2 rows are in quarantine (50.00%)" in sections["left out"]
    assert "1 of 3 shards are set aside" in sections["left out"]
    swarm = sections["swarm and theta*"]
    assert swarm == "64 proxies (2 failed): 3 of 8 batches are trained, 12 min left."
    assert "1 shard is set aside" in next_steps(found)[0]


def test_what_to_do_follows_from_the_state(tiny: Project) -> None:
    assert next_steps(overview_of(tiny))[0].startswith("Nothing: the mix `quadmix` is complete.")
    failed = [Failed("regressor", "learned", "WARN"), Failed("raw_shards", "ids_are_unique")]
    rule = "mixes/quadmix/selection_rule"
    changed = {rule: ["mix.max_breakpoints: 20000 -> 500"]}
    made = (Made("raw_shards", 3, 3, True), Made("scored_shards", 1, 3, True))
    steps = next_steps(overview_of(tiny, failed_checks=failed, changed_settings=changed, made=made))
    assert [step.split("](")[0] for step in steps] == [
        "Look at the failed check [ids_are_unique",
        f"Materialise [{rule}",
        "[scored_shards",
    ]
    assert "too few; do \\*this\\*" in steps[0]
    assert "`mix.max_breakpoints: 20000 -> 500`" in steps[1]
    assert "2 of 3 partitions are missing" in steps[2]
    warned = next_steps(overview_of(tiny, failed_checks=failed[:1]))
    assert "Read the warnings below first (1)" in warned[0]


@pytest.fixture
def several(tiny: Project, tmp_path: Path) -> Project:
    """A copy with a second mix of two shards, one of them from an older file, and a third one."""
    copy = tiny.copy(tmp_path / "copy")
    names = ("quadmix", "second", "third")
    profile = yaml.safe_load(copy.profile.read_text())
    profile["mixes"] = [{"method": "quadmix", "name": name} for name in names]
    copy.profile.write_text(yaml.safe_dump(profile))
    store, shards = copy.store, shards_of(copy)
    mixes = Path(str(store.root)) / "mixes"
    shutil.copytree(mixes / "quadmix" / "selection_rule", mixes / "second" / "selection_rule")
    for shard, checksum in zip(shards[:2], (None, "that of an older file"), strict=True):
        path = store.table_path(DOCUMENTS, shard)
        summary = store.summary(path)
        summary["inputs"]["raw_shard"] = checksum or summary["inputs"]["raw_shard"]
        store.write_table(
            store.table_path("mixes/second/final_mix", shard), store.read_table(path), summary
        )
    return copy


def test_every_mix_stands_with_what_it_lacks(several: Project) -> None:
    found = overview_of(several)
    assert [mix.name for mix in found.mixes] == ["quadmix", "second", "third"]
    first, second, third = found.mixes
    assert (first.is_production, first.is_followed, first.behind) == (True, True, [])
    assert second.behind == ["1 shard not mixed", "1 shard changed since", "no manifest"]
    assert not third.is_made and not third.behind
    rows = concat(several.store, "mixes/second/final_mix", shards_of(several)[:2])
    assert second.n_tokens == (rows["copies"] * rows["n_tokens"]).sum()
    assert second.epochs == pytest.approx(second.n_tokens / sum(second.tokens_in))
    page = overview_sections(found)["mixes"]
    assert isinstance(page, pl.DataFrame)
    assert page["state"].to_list() == [
        "in production; complete",
        "1 shard not mixed, 1 shard changed since, no manifest",
        "not made",
    ]
    assert page["tokens"].to_list()[2] == "–"
    # Another rule than the one that the shards were mixed by.
    change_output(several.store, "mixes", "second", "selection_rule", "rule.json")
    assert "2 shards mixed by an older rule" in overview_of(several).mixes[1].behind


def test_a_mix_of_the_size_of_another_one_says_when_that_has_changed(several: Project) -> None:
    profile = yaml.safe_load(several.profile.read_text())
    profile["mixes"][1]["tokens"] = "quadmix"
    several.profile.write_text(yaml.safe_dump(profile))
    words = "not of the size of quadmix any more"
    # Its rule is a copy of one that was asked for no number of tokens.
    assert words in overview_of(several).mixes[1].behind
    rule = several.store.root / "mixes" / "second" / "selection_rule" / "rule.json"
    values = several.store.read_json(rule)
    several.store.write_json(rule, {**values, "tokens": sum(values["expected_tokens"])})
    assert words not in overview_of(several).mixes[1].behind


def test_other_mixes_come_after_the_one_in_production(several: Project) -> None:
    done, missing, behind = next_steps(overview_of(several))
    assert done.startswith("Nothing: the mix `quadmix` is complete.")
    assert missing.startswith(
        "Not made yet: the mix [third](/assets/mixes/third/selection_rule). The job `make_mixes`"
    )
    assert behind.startswith("The mix [mixes/second/final_mix](/assets/mixes/second/final_mix) is")
    # Their missing partitions are no tasks of the graph.
    made = (
        *ALL_MADE,
        Made("mixes/second/final_mix", 2, 3, True),
        Made("mixes/third/x", 0, 1, False),
    )
    assert next_steps(overview_of(several, made=made)) == [done, missing, behind]
    partly = Made("mixes/quadmix/final_mix", 2, 3, True)
    steps = next_steps(overview_of(several, made=(*ALL_MADE, partly)))
    assert "1 of 3 partitions are missing" in steps[0] and steps[1:] == [missing, behind]


def test_what_is_accepted_is_no_task_but_said(tiny: Project) -> None:
    (accepted, *_) = tiny.settings.mix.accept
    found = overview_of(tiny, failed_checks=[Failed("regressor", accepted)])
    (step,) = next_steps(found)
    assert f"It is a guess: `mix.accept` accepts that {accepted} failed." in step
    checks = overview_sections(found)["failed checks"]
    assert isinstance(checks, pl.DataFrame)
    assert checks["check"].to_list() == [f"ERROR regressor {accepted}, accepted"]


def test_fresh_projects_are_told_how_to_begin(tiny: Project) -> None:
    store = Store(UPath("/nowhere"))
    empty = read_overview(store, tiny.settings, [], swarm=None, made=())
    assert next_steps(empty)[0].startswith("Put files into")
    nothing = (Made("raw_shards", 0, 3, True), Made("tokenizer", 0, 1, False))
    fresh = read_overview(store, tiny.settings, ["a"], swarm=None, made=nothing)
    assert next_steps(fresh) == [
        "Click *Materialize all* on the [lineage page](/asset-groups) and choose all partitions."
    ]
    assert "left out" not in overview_sections(fresh)


def test_three_hundred_shards_are_counted(tiny: Project, tmp_path: Path) -> None:
    store, shards = tiny.store, shards_of(tiny)
    large = Store(UPath(tmp_path))
    for asset in (RAW_SHARDS, DOCUMENTS):
        (tmp_path / asset).mkdir(parents=True)
        content = store.table_path(asset, shards[0]).read_bytes()
        for number in range(300):
            (tmp_path / asset / f"{number}.parquet").write_bytes(content)
    keys = [str(number) for number in range(300)]
    found = read_overview(large, tiny.settings, keys, swarm=Swarm(), made=ALL_MADE)
    sections = overview_sections(found)
    assert "| shards | 300 of 300 | 300 |" in sections["pool and mix"]


def test_sections_are_short_enough_to_be_shown_at_once(tiny: Project) -> None:
    failed = [
        Failed(f"asset_{n}", f"a_check_with_a_long_name_{n}", description="word " * 99)
        for n in range(30)
    ]
    sections = overview_sections(overview_of(tiny, failed_checks=failed))
    for title, content in sections.items():
        if isinstance(content, str):
            assert len(content) < SHOWN_AT_ONCE, title
    assert "and 27 more" in sections["what to do next"]
