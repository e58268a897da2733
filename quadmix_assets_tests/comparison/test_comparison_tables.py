from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from upath import UPath

from quadmix_assets.comparison.comparison_tables import (
    EQUAL,
    NATURAL,
    ComparisonTables,
    compare_methods,
    read_comparison_tables,
    write_comparison_tables,
)
from quadmix_assets.comparison.pairs import win_rate_matrix
from quadmix_assets.evidence.results import read_results, results_path
from quadmix_assets.outputs import COMPARISON_TABLE
from quadmix_assets.settings import Settings, load_settings, settings_used
from quadmix_assets.store import Store
from quadmix_assets_tests.comparison.measured_mixes import (
    BUDGETS,
    HELD_OUT_SETS,
    N_SEEDS,
    PROFILE,
    SIZES,
    WORSE,
    level,
    put_measured,
)
from quadmix_assets_tests.conftest import write_profile
from quadmix_assets_tests.settings.reads import recorded_reads
from quadmix_assets_tests.settings.test_traced import is_declared

OBJECTIVE = "objective planted"


def settings_with(folder: Path, **changes: Any) -> Settings:
    return load_settings(write_profile(folder, **{**PROFILE, **changes}))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_with(tmp_path_factory.mktemp("profile"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(UPath(tmp_path_factory.mktemp("lake")))
    put_measured(store)
    return store


@pytest.fixture(scope="module")
def tables(store: Store, settings: Settings) -> ComparisonTables:
    return compare_methods(store, settings)[0]


def test_methods_have_sizes_and_means_of_the_largest_budget(tables: ComparisonTables) -> None:
    table = tables.methods
    assert table["mix"].to_list() == list(WORSE)
    assert table["n_tokens"].to_list() == list(SIZES.values())
    assert table["epochs"].to_list() == pytest.approx([n / 30_000 for n in SIZES.values()])
    assert table["training_epochs"].to_list() == pytest.approx([4_000 / 6_000] * 4)
    assert table["n_models"].to_list() == [N_SEEDS] * 4
    held_out = np.mean([level(name, BUDGETS[-1]) for name in HELD_OUT_SETS]) + 1.0
    for name, expected in (("held_out", held_out), (OBJECTIVE, level("planted", 4_000) + 1.0)):
        found = table[f"mean[{name}]"].to_numpy() - np.array(list(WORSE.values()))
        np.testing.assert_allclose(found, expected, atol=0.02)
    assert table["rank[held_out]"].to_list() == [1.0, 2.0, 3.0, 4.0]
    np.testing.assert_allclose(table["win_rate[held_out]"], [1.0, 2 / 3, 1 / 3, 0.0])


def test_abilities_are_means_of_their_tasks_and_the_average_is_over_tasks(
    tables: ComparisonTables,
) -> None:
    """Normalised accuracy where there is one, the exact match of open questions."""
    best = tables.methods.row(0, named=True)
    assert best["accuracy_reading_comprehension"] == pytest.approx(0.4)
    assert best["accuracy_commonsense"] == pytest.approx(0.4)
    assert best["accuracy_math"] == pytest.approx(0.2)
    assert best["accuracy_knowledge"] is None
    assert best["accuracy_average"] == pytest.approx(1.0 / 3)
    assert best["mean[choice_probability]"] == pytest.approx(0.26)
    assert tables.methods["rank[tasks]"].to_list() == [1.0, 2.0, 3.0, 4.0]


def test_gains_over_random_and_of_production_are_paired(tables: ComparisonTables) -> None:
    """Seeds differ by whole nats, which both mixes share: the interval is that of the noise."""
    table = tables.methods
    gains = table["over_random[held_out]"].to_list()
    assert gains[:3] == pytest.approx([0.5, 0.4, 0.3], abs=0.02)
    assert gains[3] is None
    widths = table["over_random_high[held_out]"] - table["over_random_low[held_out]"]
    assert (widths.drop_nulls() < 0.1).all()
    own = table["production_gain[held_out]"].to_list()
    assert own[0] is None and own[1:] == pytest.approx([0.1, 0.2, 0.5], abs=0.02)
    assert (table["production_gain_low[held_out]"].drop_nulls() > 0).all()


def test_the_trigram_is_a_second_opinion(tables: ComparisonTables) -> None:
    second = tables.methods["trigram[held_out]"].to_numpy()
    np.testing.assert_allclose(second - second[0], list(WORSE.values()))


def test_pairs_are_of_every_measure_model_and_budget(tables: ComparisonTables) -> None:
    pairs = tables.pairs.filter(pl.col("sizes") == EQUAL)
    assert pairs.height == 12 * (2 * 2 + 2 + 2), (
        "two losses at two budgets, two trigrams, two tasks"
    )
    one = pairs.filter(
        (pl.col("measure") == "held_out")
        & (pl.col("model") == "language_model")
        & (pl.col("budget") == 4_000)
    )
    assert set(one["interval_over"]) == {"sets and seeds"}
    there = one.filter((pl.col("mix") == "quadmix") & (pl.col("other") == "random"))
    back = one.filter((pl.col("mix") == "random") & (pl.col("other") == "quadmix"))
    assert there["gain"].item() == pytest.approx(-back["gain"].item())
    assert there["gain_low"].item() == pytest.approx(-back["gain_high"].item())
    assert (there["p"] <= there["p_holm"]).all()
    assert (one["p_holm_production"].is_not_null() == (
        (one["mix"] == "quadmix") | (one["other"] == "quadmix"))).all()  # fmt: skip
    rates = win_rate_matrix(one, list(WORSE))
    expected = np.triu(np.ones((4, 4)), 1)
    np.testing.assert_array_equal(np.nan_to_num(rates), expected)
    assert np.isnan(np.diag(rates)).all()


def test_of_an_objective_only_seeds_vary(tables: ComparisonTables) -> None:
    own = tables.pairs.filter(
        (pl.col("measure") == OBJECTIVE) & (pl.col("model") == "language_model")
    )
    assert set(own["interval_over"]) == {"seeds"}


def test_mixes_of_one_size_are_compared_apart_from_natural_sizes(tmp_path: Path) -> None:
    mixes = [*PROFILE["mixes"], {"method": "quadmix", "name": "natural"}]
    settings = settings_with(tmp_path, mixes=mixes)
    store = Store(UPath(tmp_path / "lake"))
    put_measured(store, {**WORSE, "natural": 0.05}, {**SIZES, "natural": 20_000})
    tables, evidence = compare_methods(store, settings)
    assert evidence.mixes == [*WORSE, "natural"]
    assert tables.methods["mix"].to_list() == list(WORSE)
    # Of methods without a size of their own, what the settings give them.
    assert tables.natural["mix"].to_list() == ["top", "random", "natural"]
    assert set(tables.pairs["sizes"]) == {EQUAL, NATURAL}


def test_orders_at_two_budgets_are_correlated(tmp_path: Path, settings: Settings) -> None:
    store = Store(UPath(tmp_path))
    put_measured(store)
    agree = compare_methods(store, settings)[0].budgets
    row = agree.filter(pl.col("measure") == "held_out").row(0, named=True)
    assert (row["budget"], row["other_budget"], row["n_mixes"]) == (*BUDGETS, 4)
    assert (row["spearman"], row["kendall"], row["spearman_of_seeds"]) == (1.0, 1.0, 1.0)
    # The other way round at the small budget.
    for mix, amount in WORSE.items():
        found = read_results(store, mix).with_columns(
            pl.when(pl.col("budget") == BUDGETS[0])
            .then(pl.col("value") - 2 * amount)
            .otherwise(pl.col("value"))
            .alias("value")
        )
        store.write_table(results_path(store, mix), found)
    opposed = compare_methods(store, settings)[0].budgets
    assert opposed.filter(pl.col("measure") == "held_out")["spearman"].item() == -1.0


def test_a_mix_without_results_is_named_and_left_out(tmp_path: Path, settings: Settings) -> None:
    store = Store(UPath(tmp_path))
    with pytest.raises(ValueError, match="no finished mix was measured"):
        compare_methods(store, settings)
    put_measured(store)
    results_path(store, "top").unlink()
    tables, evidence = compare_methods(store, settings)
    assert evidence.without_results == ("top",)
    assert "top" not in tables.methods["mix"]


def test_a_failed_model_costs_its_seed_alone(tmp_path: Path, settings: Settings) -> None:
    store = Store(UPath(tmp_path))
    put_measured(store)
    found = read_results(store, "top")
    failed = (pl.col("seed") == 1) & (pl.col("model") == "language_model")
    store.write_table(results_path(store, "top"), found.filter(~failed))
    tables, _ = compare_methods(store, settings)
    row = tables.pairs.filter(
        (pl.col("mix") == "quadmix") & (pl.col("other") == "top")
        & (pl.col("measure") == "held_out") & (pl.col("model") == "language_model")
        & (pl.col("budget") == 4_000)
    ).row(0, named=True)  # fmt: skip
    assert row["n_seeds"] == 2
    assert row["gain"] == pytest.approx(0.2, abs=0.02)


def test_tables_are_read_as_written_with_csv_beside_them(
    tmp_path: Path, tables: ComparisonTables
) -> None:
    store = Store(UPath(tmp_path))
    folder = write_comparison_tables(store, tables)
    again = read_comparison_tables(store)
    for name in ("methods", "natural", "pairs", "budgets", "ablations", "published"):
        assert getattr(again, name).equals(getattr(tables, name)), name
    csv = pl.read_csv((folder / "methods.csv").read_bytes())
    assert csv["mix"].to_list() == list(WORSE)
    assert csv["rank[held_out]"].to_list() == [1.0, 2.0, 3.0, 4.0]


# Read, and of no effect on the tables.
WITHOUT_EFFECT = {
    "root", "profile", "lake",
    # The name of a mix is part of the lists of names.
    *(f"mixes[{name}].name" for name in WORSE),
    # The project's stands for it.
    *(f"mixes[{name}].seed" for name in WORSE),
}  # fmt: skip


def test_what_is_read_of_the_settings_is_declared(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recorded_reads(monkeypatch) as reads:
        compare_methods(store, settings)
    declared = set(settings_used(settings, COMPARISON_TABLE))
    undeclared = {path for path in reads.paths if not is_declared(path, declared)}
    assert reads.paths
    assert not undeclared - WITHOUT_EFFECT
