"""Descriptions of columns: complete, and of columns that are there."""

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from quadmix_assets import outputs
from quadmix_assets.outputs import (
    FINAL_MIX,
    MIX_MANIFEST,
    MIX_VERSIONS,
    PLANTED_CORPUS,
    POOL_SUMMARY,
    RESERVED_NAMES,
    RULE_COUNTS,
    RULE_SUMMARY,
    SCORE_DRIFT,
    SCORE_REPORT,
    SCORE_SKETCHES,
    SCORED_SHARDS,
    asset_folder,
    mix_of,
)
from quadmix_assets.report.columns import columns_of, describe
from quadmix_assets.report.comparison_views import comparison_views
from quadmix_assets.report.evidence_views import evidence_views
from quadmix_assets.report.mix_views import mix_views
from quadmix_assets.report.pool_views import pool_views
from quadmix_assets.report.proxy_views import proxy_views
from quadmix_assets.settings import load_settings
from quadmix_assets_tests.conftest import Project, write_profile

OUTPUTS = {
    value for name, value in vars(outputs).items() if name.isupper() and isinstance(value, str)
}


_NOT_SHOWN = (
    PLANTED_CORPUS,
    MIX_MANIFEST,
    MIX_VERSIONS,
    POOL_SUMMARY,
    RULE_COUNTS,
    RULE_SUMMARY,
    SCORE_DRIFT,
    SCORE_REPORT,
    SCORE_SKETCHES,
)


def tables(project: Project) -> dict[str, dict[str, str]]:
    """Per folder of the lake the columns of its tables with their types."""
    root = Path(str(project.store.root))
    found: dict[str, dict[str, str]] = {}
    for path in root.rglob("*.parquet"):
        output = asset_folder(path.relative_to(root).as_posix())
        mix = mix_of(output)
        # The planted corpus is an input, the manifest and the versions of a mix hold copies of
        # other folders' tables, and running totals and what reports remember are shown nowhere.
        if output not in _NOT_SHOWN and (mix is None or mix[1] not in _NOT_SHOWN):
            schema = pq.read_schema(path)
            columns = zip(schema.names, map(str, schema.types), strict=True)
            found.setdefault(output, {}).update(columns)
    return found


def test_no_column_lacks_a_description(tiny: Project) -> None:
    for output, columns in tables(tiny).items():
        assert set(columns_of(output, tiny.settings)) == set(columns), output


def test_numbers_have_a_unit_and_texts_have_none(tiny: Project) -> None:
    for output, columns in tables(tiny).items():
        for name, column in columns_of(output, tiny.settings).items():
            is_text = "string" in columns[name]
            assert bool(column.unit) != is_text, f"{output}.{name}: {column}"
            assert column.meaning


def test_constraints_hold(tiny: Project) -> None:
    root = Path(str(tiny.store.root))
    for output in tables(tiny):
        for path in (root / output).rglob("*.parquet"):
            table = pq.read_table(path)
            for name, column in columns_of(output, tiny.settings).items():
                if name not in table.column_names:
                    continue
                values = table.column(name)
                assert column.nullable or values.null_count == 0, f"{path}: {name}"
                if column.unique:
                    assert len(values.unique()) == len(values), f"{path}: {name}"


def test_scores_mean_what_their_criterion_says(tmp_path: Path) -> None:
    criteria = [
        {"kind": "fineweb_edu"},
        {"kind": "column", "name": "worth", "column": "loss", "larger_is_better": False},
    ]
    settings = load_settings(
        write_profile(
            tmp_path,
            features={"criteria": criteria},
            corpus={"carried_columns": {"loss": "float", "domain": "string"}},
        )
    )
    scored = columns_of(SCORED_SHARDS, settings)
    assert set(scored) == {"id", "n_tokens", "fineweb_edu", "fineweb_edu_int", "worth"}
    assert "educational value" in str(scored["fineweb_edu"])
    assert str(scored["worth"]).startswith("column 'loss' of the input times -1")
    mix = columns_of(FINAL_MIX, settings)
    assert mix["worth"] == scored["worth"] and "confidence floor" in mix["domain"].meaning
    assert columns_of("mixes/quadmix/final_mix", settings) == mix


@pytest.mark.parametrize(
    ("output", "column", "words"),
    [
        ("raw_shards", "year", "carried"),
        ("scored_shards", "old", "no longer"),
        ("mixes/quadmix/final_mix", "old", "no longer"),
        ("x", "y", None),
    ],
)
def test_columns_of_other_settings_are_described_in_general(
    tiny: Project, output: str, column: str, words: str | None
) -> None:
    found = describe(output, column, tiny.settings)
    assert found is None if words is None else words in str(found)


def test_names_that_a_criterion_may_not_have_are_those_of_columns_and_tables() -> None:
    settings = load_settings("demo")
    columns = {output: list(columns_of(output, settings)) for output in OUTPUTS}
    own = {*settings.criterion_names, *settings.corpus.carried_columns}
    fixed = {name for names in columns.values() for name in names} - own
    fixed = {name for name in fixed if not re.search(r"[\[]|^sigma_", name)}
    assert fixed <= RESERVED_NAMES
    views = [
        *pool_views(settings.criterion_names, columns),
        *proxy_views(settings.domain_names),
        *mix_views(settings.domain_names),
        *evidence_views(),
        *comparison_views(),
    ]
    assert {view.name for view in views} <= RESERVED_NAMES
    assert OUTPUTS <= RESERVED_NAMES
