"""Domains that come with the input."""

import polars as pl

from quadmix_assets.features.domains.column import ColumnDomains, ColumnDomainsSettings

CLASSIFIER = ColumnDomains(
    ColumnDomainsSettings(
        kind="column",
        column="label",
        names=("law", "sports"),
        mapping={"legal": "law", "3": "sports", "spam": "unknown", "sports": "law"},
    )
)


def test_mapping_first_then_names_then_unknown() -> None:
    labels = ["legal", "law", "sports", "3", "spam", "Law", "unknown", "", None]
    found = CLASSIFIER.classify(pl.DataFrame({"label": pl.Series(labels, dtype=pl.String)}))
    assert found["domain"].to_list() == ["law", "law", "law", "sports", *["unknown"] * 5]
    assert found["confidence"].to_list() == [1.0] * 4 + [0.0] * 5


def test_numbers_are_mapped_by_how_they_are_written() -> None:
    found = CLASSIFIER.classify(pl.DataFrame({"label": [3, 4]}))
    assert found["domain"].to_list() == ["sports", "unknown"]


def test_it_reads_its_column_only() -> None:
    assert CLASSIFIER.settings.columns_read == ("label",)


def test_labels_that_are_all_null() -> None:
    found = CLASSIFIER.classify(pl.DataFrame({"label": pl.Series([None], dtype=pl.String)}))
    assert found.row(0) == ("unknown", 0.0)
