"""The whole page of a small project, as its run has made it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from upath import UPath

from quadmix_assets.mix.manifest import read_manifest
from quadmix_assets.mix.report import FailedCheck
from quadmix_assets.mix.versions import list_versions
from quadmix_assets.outputs import PLOTS
from quadmix_assets.page.report import (
    N_DOCUMENTS,
    changed_since,
    make_report,
    report_path,
    write_report,
)
from quadmix_assets.page.stored_figures import figure_names, stored_figure
from quadmix_assets.settings import load_settings
from quadmix_assets.store import Store, carded_file
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.page.reader import Element, ReadPage, cells, read_page

HOSTILE = FailedCheck("regressor", "learned", "WARN", '<script>alert("1")</script>')
WORSE = FailedCheck("mixes/quadmix/mix_manifest", "mix_is_current", "ERROR", "3 newer shards")


@pytest.fixture(scope="module")
def html(tiny: Project) -> str:
    return make_report(tiny.store, tiny.settings, [HOSTILE, WORSE])


@pytest.fixture(scope="module")
def page(html: str) -> ReadPage:
    return read_page(html)


def test_the_page_is_whole_and_alone(html: str, page: ReadPage) -> None:
    assert page.problems == []
    assert page.loaded() == []
    assert page.twice() == set()
    assert len(html.encode()) < 3_000_000
    anchors = {each.attributes["href"].removeprefix("#") for each in page.all("a")}
    assert anchors == {each.attributes["id"] for each in page.all("section")}
    assert {"caveats", "pool", "search", "mixes", "documents", "manifest"} <= anchors


def test_the_run_has_written_the_page_with_its_failed_checks(tiny: Project) -> None:
    written = tiny.store.read_bytes(report_path(tiny.store)).decode()
    caveats = read_page(written).section("caveats")
    assert "regressor learned something" in caveats.text
    assert "mix.accept names it" in caveats.text
    assert changed_since(tiny.store, tiny.settings) == []


def test_the_page_is_the_same_again(tiny: Project, html: str) -> None:
    assert make_report(tiny.store, tiny.settings, [WORSE, HOSTILE]) == html


def test_failed_checks_come_first_errors_before_warnings(page: ReadPage) -> None:
    shown = [each.text for each in page.all("div") if "caveat" in each.attributes.get("class", "")]
    assert [text.split()[0] for text in shown] == ["Error", "Warning"]
    assert "3 newer shards" in shown[0]
    assert HOSTILE.description in shown[1]
    assert page.all("section")[0].attributes["id"] == "caveats"
    assert "evidence.enabled is off" in page.section("caveats").text


def test_numbers_are_those_of_the_manifest(tiny: Project, page: ReadPage) -> None:
    totals = read_manifest(tiny.store, "quadmix")["totals"]
    tables = {table.below[0].text.split(".")[0]: cells(table) for table in page.all("table")}
    head, *rows = next(rows for name, rows in tables.items() if name.startswith("Finished mixes"))
    (row,) = [row for row in rows if row[0] == "quadmix"]
    assert row[head.index("documents")] == f"{totals['n_documents_out']:,}"
    assert row[head.index("tokens")] == f"{totals['n_tokens_out']:,}"
    steps = {row[0]: row[1] for row in tables["Documents and tokens by step"]}
    assert steps["documents of the pool, scored and labelled"] == f"{totals['n_documents_in']:,}"
    assert steps["the same, copies included"] == f"{totals['n_copies_out']:,}"


def test_figures_are_those_of_the_assets(tiny: Project, page: ReadPage) -> None:
    captions = " ".join(each.text for each in page.all("figcaption"))
    for words in ("Figure 1", "Figure 3", "left half of the paper's Figure 4", "right half"):
        assert words in captions
    assert len(page.all("svg")) == len(page.all("figure")) >= 10
    assert "heats_planted" in figure_names(tiny.store, "verification")


def test_documents_are_shown_domain_by_domain(tiny: Project, page: ReadPage) -> None:
    manifest = read_manifest(tiny.store, "quadmix")
    taken = [n for n in manifest["n_tokens_out_per_domain"] if n]
    lists = [each for each in page.all("details") if not each.text.count("0 documents are taken")]
    assert len(page.all("details")) >= len(taken)
    assert lists
    for each in page.all("details"):
        assert len([one for one in _below(each) if one.tag == "blockquote"]) <= 2 * N_DOCUMENTS


def _below(element: Element) -> Iterator[Element]:
    for each in element.below:
        yield each
        yield from _below(each)


def test_the_manifest_is_in_words(tiny: Project, page: ReadPage) -> None:
    (version,) = [each for each in list_versions(tiny.store, "quadmix") if each.is_present]
    words = page.section("manifest").text
    assert version.version in words
    assert "It is made by the method quadmix with its default options." in words
    assert "although these guards failed" in words


def test_what_has_changed_since_is_named(tiny: Project, tmp_path: Path) -> None:
    project = tiny.copy(tmp_path / "copy")
    store, settings = project.store, project.settings
    write_report(store, make_report(store, settings, []))
    assert changed_since(store, settings) == []
    profile = yaml.safe_load(project.profile.read_text())
    profile |= {"mixes": [{"method": "quadmix", "name": "another"}], "production": None}
    project.profile.write_text(yaml.safe_dump(profile))
    assert changed_since(store, load_settings(project.profile)) == ["quadmix"]


def test_before_anything_is_made_there_is_a_page_that_says_so(tmp_path: Path) -> None:
    project = Project(tmp_path)
    page = read_page(make_report(project.store, project.settings, []))
    assert page.problems == [] and page.loaded() == []
    assert "quadmix, is not finished" in page.elements[0].text
    assert [each.attributes["id"] for each in page.all("section")] == ["caveats"]
    assert "Not finished, so not on this page: quadmix." in page.section("caveats").text


def test_a_figure_without_svg_or_with_a_huge_one_is_shown_as_png(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path))
    for name, content in (
        ("a.x.png", b"\x89PNG1"),
        ("a.y.png", b"\x89PNG2"),
        ("a.y.svg", b"<svg>" + b" " * 500_000),
    ):
        with carded_file(store.path(PLOTS, name)) as file:
            file.write(content)
    assert figure_names(store, "a") == ["x", "y"]
    for name in ("x", "y"):
        found = stored_figure(store, "a", name)
        assert found is not None and not found.is_svg
        page = read_page(found.html('a "caption"'))
        assert page.loaded() == []
        assert page.all("img")[0].attributes["alt"] == 'a "caption"'
    assert stored_figure(store, "a", "z") is None
    assert figure_names(store, "nobody") == []
