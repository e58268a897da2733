"""The comparison on the page, of mixes whose results are made up."""

from pathlib import Path

import pytest
from upath import UPath

from quadmix_assets.comparison.comparison_tables import compare_methods, write_comparison_tables
from quadmix_assets.page.plots import plot_losses_by_budget
from quadmix_assets.page.report import losses_of_models
from quadmix_assets.page.sections.comparison import comparison_html, is_compared
from quadmix_assets.settings import Settings, load_settings
from quadmix_assets.store import Store
from quadmix_assets_tests.comparison.measured_mixes import (
    BUDGETS,
    HELD_OUT_SETS,
    N_SEEDS,
    PROFILE,
    SIZES,
    TARGETS,
    WORSE,
    level,
    put_measured,
)
from quadmix_assets_tests.conftest import write_profile
from quadmix_assets_tests.page.reader import ReadPage, cells, read_page


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(write_profile(tmp_path_factory.mktemp("profile"), **PROFILE))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Store:
    store = Store(UPath(tmp_path_factory.mktemp("lake")))
    put_measured(store)
    write_comparison_tables(store, compare_methods(store, settings)[0])
    return store


@pytest.fixture(scope="module")
def page(store: Store, settings: Settings) -> ReadPage:
    return read_page(comparison_html(store, settings))


def table_of(page: ReadPage, caption: str) -> list[list[str]]:
    table, *_ = [table for table in page.all("table") if table.below[0].text.startswith(caption)]
    return cells(table)


def test_without_a_comparison_there_is_no_section(tmp_path: Path, settings: Settings) -> None:
    store = Store(UPath(tmp_path))
    assert not is_compared(store)
    assert comparison_html(store, settings) == ""
    assert losses_of_models(store, settings).is_empty()


def test_every_mix_is_there_with_its_loss_and_the_one_in_production_stands_out(
    page: ReadPage,
) -> None:
    assert page.problems == [] and page.loaded() == []
    head, *rows = table_of(page, "By loss on held-out sets")
    assert [row[0].split(" ")[0].strip(",") for row in rows] == sorted(WORSE, key=WORSE.__getitem__)
    expected = sum(level(name, BUDGETS[-1]) for name in HELD_OUT_SETS) / len(HELD_OUT_SETS) + 1
    for row in rows:
        name = row[0].split(" ")[0].strip(",")
        mean = float(row[head.index("mean")].split(" ")[0])
        assert mean == pytest.approx(expected + WORSE[name], abs=0.02)
    bold = {row.below[0].text for row in page.all("tr", class_="bold")}
    assert bold == {"quadmix, in production"}


def test_readers_meet_words_and_no_names_of_columns(page: ReadPage) -> None:
    texts = " ".join(each.text for each in (*page.all("section"), *page.all("table")))
    texts += " ".join(each.text for each in page.all("p"))
    for name in ("held_out", "choice_probability", "loss_nats", "acc_norm", "exact_match"):
        assert name not in texts
    assert "loss on held-out sets" in texts and "probability of the right choice" in texts


def test_measured_mixes_of_another_size_are_named(tmp_path: Path, settings: Settings) -> None:
    store = Store(UPath(tmp_path))
    put_measured(store, sizes={**SIZES, "top": 9_000})
    write_comparison_tables(store, compare_methods(store, settings)[0])
    page = read_page(comparison_html(store, settings))
    assert "another size or measured later: top." in " ".join(each.text for each in page.all("p"))
    assert not any(row[0].startswith("top") for row in table_of(page, "What each mix takes"))


def test_the_papers_numbers_are_said_to_be_the_papers(page: ReadPage) -> None:
    head, *rows = table_of(page, "Published: Table 1")
    (found,) = [row for row in rows if row[0] == "QuaDMix-BMK"]
    assert found[head.index("average")] == "39.5"
    assert "arXiv:2504.16511" in " ".join(each.text for each in page.all("p"))


def test_budgets_and_options_are_compared(page: ReadPage) -> None:
    budgets = table_of(page, "Rank correlation")
    assert any("1,000" in row and "4,000" in row for row in budgets)
    options = table_of(page, "Mixes that differ in one option")
    assert any("method" in row for row in options), "quadmix against quadmix_paper"


def test_losses_are_those_of_sets_that_all_models_share(store: Store, settings: Settings) -> None:
    losses = losses_of_models(store, settings)
    assert set(losses["set"]) == {*TARGETS, *HELD_OUT_SETS}
    n_models = len(WORSE) * len(BUDGETS) * N_SEEDS
    assert losses.height == n_models * (len(TARGETS) + len(HELD_OUT_SETS))


def test_the_figure_has_a_line_per_mix_that_goes_down(store: Store, settings: Settings) -> None:
    figure = plot_losses_by_budget(losses_of_models(store, settings), "quadmix")
    panels = figure.axes
    assert [axes.get_title() for axes in panels] == [
        "Mean over search targets (proof part)",
        "Mean over held-out sets",
    ]
    for axes in panels:
        ends = {}
        for container in axes.containers:
            line = container[0]
            x, y = line.get_data()
            assert list(x) == list(BUDGETS)
            assert y[0] > y[1]
            ends[round(float(y[1]), 1)] = line.get_linewidth()
        assert len(axes.containers) == len(WORSE)
        assert ends[min(ends)] == max(ends.values()), "production is the thick one"
    texts = {text.get_text() for text in figure.legends[0].get_texts()}
    assert texts == set(WORSE)
