from pathlib import Path

import numpy as np
import polars as pl
from upath import UPath

from quadmix_assets.comparison.comparison_tables import (
    ComparisonTables,
    compare_methods,
    write_comparison_tables,
)
from quadmix_assets.comparison.regressor_ablation import (
    EXPECTED,
    REALISED,
    REGRESSORS_SCHEMA,
    THETA,
    made_from,
    regressor_table,
)
from quadmix_assets.outputs import COMPARISON_TABLE
from quadmix_assets.proxies.evidence import read_evidence
from quadmix_assets.store import Store
from quadmix_assets_tests.comparison.measured_mixes import PROFILE, put_measured
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.lakes import damage


def test_every_input_is_asked_about_the_same_thetas(tiny: Project) -> None:
    table = regressor_table(tiny.store, tiny.settings)
    assert set(table.schema) == set(REGRESSORS_SCHEMA)
    counts = dict(table.group_by("learned_from").len().iter_rows())
    assert set(counts) == {REALISED, EXPECTED, THETA}
    assert counts[EXPECTED] == counts[THETA] == 1 <= counts[REALISED]
    assert table["n_held_out"].n_unique() == 1
    n_train = len(read_evidence(tiny.store, tiny.settings).theta_ids) - table["n_held_out"][0]
    whole = table.filter(pl.col("n_proxies") == n_train)
    assert whole.height == 3
    assert whole["constant_mae_nats"].n_unique() == 1
    assert np.isfinite(table["mae_nats"].to_numpy()).all()
    assert regressor_table(tiny.store, tiny.settings).equals(table)


def test_without_a_regressor_there_is_no_table(tmp_path: Path, tiny: Project) -> None:
    assert regressor_table(Store(UPath(tmp_path)), tiny.settings).is_empty()


def test_the_table_is_made_again_only_when_something_changed(tiny: Project, tmp_path: Path) -> None:
    """What is kept is recognised by a row that no regressor would give."""
    store = tiny.copy(tmp_path / "copy").store
    profile = {name: value for name, value in PROFILE.items() if name != "mixes"}
    settings = Project(tmp_path / "settings", **profile).settings
    put_measured(store, {"quadmix": 0.0}, {"quadmix": 6_000})
    tables, _ = compare_methods(store, settings)
    marked = tables.regressors.with_columns(pl.lit("kept").alias("regressor"))
    kept = ComparisonTables(**{**vars(tables), "regressors": marked})
    write_comparison_tables(store, kept, made_from(store, settings))
    assert compare_methods(store, settings)[0].regressors.equals(marked)
    search = settings.search.model_copy(update={"held_out_share": 0.4})
    other = settings.model_copy(update={"search": search})
    assert "kept" not in compare_methods(store, other)[0].regressors["regressor"]
    # A damaged table is no obstacle to making it again.
    damage(store.path(COMPARISON_TABLE, "regressors.parquet"))
    assert compare_methods(store, settings)[0].regressors.equals(tables.regressors)
