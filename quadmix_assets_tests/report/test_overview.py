"""The overview: its numbers against the tables, and what it says to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from upath import UPath

from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    FINAL_MIX,
    OPTIMUM_CHECK,
    QUARANTINE,
    RAW_SHARDS,
    SCORE_REPORT,
    SCORED_SHARDS,
)
from quadmix_assets.report.next_steps import next_steps
from quadmix_assets.report.overview import Made, Overview, read_overview
from quadmix_assets.report.overview_page import SHOWN_AT_ONCE, overview_sections
from quadmix_assets.settings import load_settings
from quadmix_assets.store import Store
from quadmix_assets_tests.conftest import Project, write_profile
from quadmix_assets_tests.lakes import put_raw

ALL_MADE = (Made("raw_shards", 3, 3, True), Made("mix_manifest", 1, 1, False))


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
    raw, mix = concat(store, RAW_SHARDS, shards), concat(store, FINAL_MIX, shards)
    assert found.pool.n_shards == found.pool.n_read == len(shards)
    assert found.pool.n_documents == raw.height
    assert found.pool.n_bytes == raw["n_bytes"].sum()
    rejected = concat(store, QUARANTINE, shards)
    assert found.pool.quarantined == dict(rejected.group_by("reason").len().rows())
    assert found.mix is not None
    assert found.mix.n_documents == mix.height
    assert found.mix.n_copies == mix["copies"].sum()
    assert found.mix.n_tokens == (mix["copies"] * mix["n_tokens"]).sum()
    assert found.mix.max_copies == mix["copies"].max()
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
    assert found.mix is None
    sections = overview_sections(found)
    domains = sections["domains before and after"]
    assert isinstance(domains, pl.DataFrame)
    assert domains.row(0) == ("law", "█" * 15 + " 75.0%", "–", "–")
    assert "domain of 25.0% of the tokens is unknown" in sections["left out"]


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
    assert next_steps(overview_of(tiny))[0].startswith("Nothing: the mix is complete.")
    failed = [Failed("regressor", "learned", "WARN"), Failed("raw_shards", "ids_are_unique")]
    changed = {"rank_calibration": ["mix.max_breakpoints: 20000 -> 500"]}
    made = (Made("raw_shards", 3, 3, True), Made("scored_shards", 1, 3, True))
    steps = next_steps(overview_of(tiny, failed_checks=failed, changed_settings=changed, made=made))
    assert [step.split("](")[0] for step in steps] == [
        "Look at the failed check [ids_are_unique",
        "Materialise [rank_calibration",
        "[scored_shards",
    ]
    assert "too few; do \\*this\\*" in steps[0]
    assert "`mix.max_breakpoints: 20000 -> 500`" in steps[1]
    assert "2 of 3 partitions are missing" in steps[2]
    warned = next_steps(overview_of(tiny, failed_checks=failed[:1]))
    assert "Read the warnings below first (1)" in warned[0]


def test_what_is_accepted_is_no_task_but_said(tiny: Project) -> None:
    (accepted, *_) = tiny.settings.mix.accept
    found = overview_of(tiny, failed_checks=[Failed("regressor", accepted)])
    (step,) = next_steps(found)
    assert f"It is a guess: `mix.accept` accepts that {accepted} failed." in step
    checks = overview_sections(found)["failed checks"]
    assert isinstance(checks, pl.DataFrame)
    assert checks["severity"].to_list() == ["ERROR, accepted"]


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
    for asset in (RAW_SHARDS, FINAL_MIX):
        (tmp_path / asset).mkdir()
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
