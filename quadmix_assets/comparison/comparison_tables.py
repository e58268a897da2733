"""The comparison of all mixes by what their models reach, as tables in the lake."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import polars as pl
from upath import UPath

from quadmix_assets.comparison.ablations import ablation_table
from quadmix_assets.comparison.budgets import budget_table
from quadmix_assets.comparison.evidence import MixEvidence, read_evidence_of_mixes
from quadmix_assets.comparison.method_table import method_table
from quadmix_assets.comparison.published import published_results
from quadmix_assets.comparison.regressor_ablation import (
    REGRESSORS_SCHEMA,
    made_from,
    regressor_table,
)
from quadmix_assets.comparison.sizes import equal_sizes, natural_sizes
from quadmix_assets.outputs import COMPARISON_TABLE
from quadmix_assets.settings import Settings
from quadmix_assets.store import DamagedOutputError, MissingOutputError, Store, atomic_folder

EQUAL, NATURAL = "equal", "natural"
"""The groups of mixes: those of one size, and those of the size that their method takes."""
# Those that are also written as CSV.
_AS_CSV = ("methods", "natural")
_REGRESSORS = "regressors"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ComparisonTables:
    """The comparison of measured mixes.

    Attributes:
        methods: one row per mix of the most common size.
        natural: one row per mix of the size that its method takes by itself.
        pairs: every mix against every other one of the same group.
        budgets: rank correlations between training budgets.
        ablations: what single options gain.
        regressors: what the regressors of the search learn from more proxies and other inputs.
        published: what the paper has, of other models on another pool.
    """

    methods: pl.DataFrame
    natural: pl.DataFrame
    pairs: pl.DataFrame
    budgets: pl.DataFrame
    ablations: pl.DataFrame
    regressors: pl.DataFrame
    published: pl.DataFrame


def compare_methods(store: Store, settings: Settings) -> tuple[ComparisonTables, MixEvidence]:
    """Compare all finished mixes that were measured; returns the tables and what they are made of.

    Raises:
        ValueError: no finished mix has results.
        DamagedOutputError: what was read is not what was written.
    """
    evidence = read_evidence_of_mixes(store, settings)
    equal = equal_sizes(evidence.n_tokens, settings.production_mix.name)
    natural = [mix for mix in natural_sizes(settings) if mix in evidence.mixes]
    methods, pairs = method_table(settings, evidence, equal, EQUAL)
    others, natural_pairs = method_table(settings, evidence, natural, NATURAL)
    tables = ComparisonTables(
        methods=methods,
        natural=others,
        pairs=pl.concat([pairs, natural_pairs]),
        budgets=budget_table(settings, evidence, equal),
        ablations=ablation_table(settings, evidence),
        regressors=_regressors(store, settings),
        published=published_results(),
    )
    return tables, evidence


def _regressors(store: Store, settings: Settings) -> pl.DataFrame:
    """The table of regressors as it is, if nothing that it is made from has changed."""
    path = _path(store, _REGRESSORS)
    try:
        if store.summary(path) == made_from(store, settings):
            return store.read_table(path)
    except (MissingOutputError, DamagedOutputError):
        pass  # It is made here.
    try:
        return regressor_table(store, settings)
    except (MissingOutputError, ValueError) as error:
        # Mixes can be compared while the swarm that chose them is gone or being trained again.
        _LOG.warning("the table of regressors is left empty: %s", error)
        return pl.DataFrame(schema=REGRESSORS_SCHEMA)


def write_comparison_tables(
    store: Store, tables: ComparisonTables, of_regressors: Mapping[str, Any] | None = None
) -> UPath:
    """Write the tables, together or not at all; returns their folder.

    Args:
        store: the lake.
        tables: what is written.
        of_regressors: what the table of regressors is made from, by which it is known again.
    """
    folder = store.root / COMPARISON_TABLE
    with atomic_folder(folder) as local:
        for field in fields(tables):
            table: pl.DataFrame = getattr(tables, field.name)
            is_kept = field.name == _REGRESSORS and table.height > 0
            summary = of_regressors if is_kept else None
            store.write_table(UPath(local) / f"{field.name}.parquet", table, summary)
            if field.name in _AS_CSV:
                (local / f"{field.name}.csv").write_text(table.write_csv())
    return folder


def read_comparison_tables(store: Store) -> ComparisonTables:
    """The tables that were written last.

    Raises:
        MissingOutputError: there are none.
        DamagedOutputError: they are not what was written.
    """
    return ComparisonTables(
        **{
            field.name: store.read_table(_path(store, field.name))
            for field in fields(ComparisonTables)
        }
    )


def _path(store: Store, table: str) -> UPath:
    return store.path(COMPARISON_TABLE, f"{table}.parquet")
