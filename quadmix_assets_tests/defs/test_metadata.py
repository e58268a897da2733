import base64
import io
import time
from pathlib import Path
from xml.etree import ElementTree

import dagster as dg
import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from upath import UPath

from quadmix_assets.defs.metadata import (
    Cost,
    clear_errors,
    figure,
    first_rows,
    markdown_table,
    table_metadata,
)
from quadmix_assets.store import Store


def test_figure_is_in_the_lake_and_in_the_text(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path))
    drawn = Figure(figsize=(2, 1))
    drawn.subplots().plot([0, 1], [1, 0])
    value = figure(store, "regressor", "importance", drawn)
    assert isinstance(value, dg.MarkdownMetadataValue)
    text = str(value.value)
    assert text.startswith("![importance](data:image/png;base64,")
    png = (tmp_path / "plots" / "regressor.importance.png").read_bytes()
    assert base64.b64decode(text.split("base64,")[1].rstrip(")")) == png
    assert np.ptp(imread(io.BytesIO(png))[..., 0]) > 0.5, "something is drawn"
    svg = store.read_bytes(store.path("plots", "regressor.importance.svg"))
    assert ElementTree.fromstring(svg).tag.endswith("svg"), "for the report"
    figure(store, "regressor", "importance", drawn)
    assert (tmp_path / "plots" / "regressor.importance.png").read_bytes() == png
    assert store.read_bytes(store.path("plots", "regressor.importance.svg")) == svg


def test_table_holds_every_cell_in_one_row_each() -> None:
    frame = pl.DataFrame(
        {"reason": ["a|b", "two\nlines", None], "n": [1, 2_000_000, 3], "x": [0.123456, 1e-9, None]}
    )
    lines = str(markdown_table(frame).value).split("\n")
    assert lines == [
        "| reason | n | x |",
        "| --- | --- | --- |",
        "| a\\|b | 1 | 0.1235 |",
        "| two lines | 2000000 | 1e-09 |",
        "| – | 3 | – |",
    ]
    assert str(markdown_table(frame.clear()).value).count("\n") == 1


def test_table_metadata_are_under_the_keys_that_the_ui_knows() -> None:
    schema = pl.Schema({"id": pl.String(), "n": pl.Int64(), "x": pl.Float64(), "ok": pl.Boolean()})
    metadata = table_metadata(UPath("/lake/a.parquet"), schema, 7)
    assert metadata["dagster/uri"] == "/lake/a.parquet"
    assert metadata["dagster/row_count"] == 7
    columns = metadata["dagster/column_schema"].columns
    found = [(column.name, column.type) for column in columns]
    assert found == [("id", "string"), ("n", "int64"), ("x", "float64"), ("ok", "bool")]
    assert "dagster/row_count" not in table_metadata(UPath("/lake/a.parquet"), schema)
    assert table_metadata(UPath("x"), schema, 0)["dagster/row_count"] == 0


def test_cost_counts_seconds_and_memory() -> None:
    cost = Cost()
    time.sleep(0.05)
    metadata = cost.metadata()
    assert 0.05 <= metadata["seconds"] < 5.0
    assert 50 < metadata["process_peak_mib"] < 100_000


def test_expected_errors_become_failures_that_are_not_retried() -> None:
    with pytest.raises(dg.Failure) as caught, clear_errors(ValueError, FileNotFoundError):
        raise FileNotFoundError("the file is not there")
    assert caught.value.description == "the file is not there"
    assert caught.value.allow_retries is False
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    with pytest.raises(KeyError), clear_errors(ValueError):
        raise KeyError("unexpected")


def test_columns_say_what_they_hold(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path))
    path = store.table_path("domain_labels", "one")
    frame = pl.DataFrame({"id": ["a"], "domain": ["law"], "confidence": [0.5]})
    store.write_table(path, frame)
    columns = table_metadata(path, frame.schema)["dagster/column_schema"].columns
    assert all(column.description for column in columns)
    by_name = {column.name: column for column in columns}
    assert by_name["confidence"].description.endswith("[0 to 1]")
    assert by_name["id"].constraints.unique and not by_name["id"].constraints.nullable


def test_first_rows_are_short_and_show_markdown_as_it_is(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path))
    path = store.table_path("documents")
    texts = ["# not a *heading* | nor a [link](x)\n<b>_bold_</b> a_b \x1b", "word " * 10_000, None]
    store.write_table(path, pl.DataFrame({"text": texts * 3, "n": range(9)}))
    lines = str(first_rows(path).value).split("\n")
    assert lines[:3] == [
        "| text | n |",
        "| --- | --- |",
        "| \\# not a \\*heading\\* \\| nor a \\[link\\](x) \\<b\\>\\_bold\\_\\</b\\> a_b | 0 |",
    ]
    assert len(lines) == 2 + 5
    assert len(lines[3]) < 80 and lines[3].startswith("| word word") and "…" in lines[3]
    store.write_table(path, pl.DataFrame({"text": [""]}).clear())
    assert first_rows(path).value == "_no rows_"


def test_first_rows_of_a_wide_table_name_what_is_left_out(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path))
    path = store.table_path("wide")
    store.write_table(path, pl.DataFrame({f"c{n}": [n] for n in range(40)}))
    assert "24 further columns are not shown" in str(first_rows(path).value)


def test_cost_gives_rates_of_what_was_processed() -> None:
    cost = Cost()
    time.sleep(0.1)
    metadata = cost.metadata(n_documents=100, n_bytes=1_000_000)
    seconds = metadata["seconds"]
    assert metadata["documents_per_second"] == pytest.approx(100 / seconds, rel=0.02)
    assert metadata["mb_per_second"] == pytest.approx(1 / seconds, rel=0.02)
    assert "tokens_per_second" not in metadata
