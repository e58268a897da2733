"""The checks of all shards: whether they are in the pool, and hold what they should."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

import dagster as dg
import polars as pl

from quadmix_assets.corpus.document_ids import shards_set_aside
from quadmix_assets.corpus.inputs import raw_folder
from quadmix_assets.corpus.normalize import documents_schema
from quadmix_assets.corpus.raw_shard import summary_of
from quadmix_assets.corpus.set_aside import Kind, SetAside
from quadmix_assets.defs.metadata import markdown_table
from quadmix_assets.outputs import RAW_SHARDS
from quadmix_assets.report.markdown import inert
from quadmix_assets.settings import CorpusSettings, Settings
from quadmix_assets.store import Described, Store, described_tables

SHARDS_ARE_USABLE = "shards_are_usable"
IDS_ARE_UNIQUE = "ids_are_unique"
SHARDS_HAVE_THE_SCHEMA = "shards_have_the_schema"
FEW_ROWS_IN_QUARANTINE = "few_rows_in_quarantine"
_N_SHOWN = 5
# Rows of a table: more are not read by anybody, and events shall stay small in a large pool.
_N_LISTED = 50


def check_shards(
    store: Store, settings: Settings, registered: AbstractSet[str]
) -> Iterator[dg.AssetCheckResult]:
    """The results of all checks of `raw_shards`, from footers alone.

    Args:
        store: the lake.
        settings: of the profile.
        registered: the shards of the pool; those that were not read yet are left out.
    """
    tables = described_tables(store, RAW_SHARDS, sorted(registered))
    shards = list(tables)
    set_aside = {key: why for key, why in shards_set_aside(store).items() if key in registered}
    yield _shards_are_usable(set_aside, len(shards), raw_folder(settings, store))
    yield _ids_are_unique(set_aside, len(shards))
    yield _shards_have_the_schema(tables, settings.corpus)
    yield _few_rows_in_quarantine(tables, settings.corpus.max_quarantine_share)


def evaluations(results: Iterator[dg.AssetCheckResult]) -> list[dg.AssetCheckEvaluation]:
    """The same results as events, for a sensor to report without a run."""
    return [
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(RAW_SHARDS),
            check_name=str(result.check_name),
            passed=result.passed,
            metadata=result.metadata,
            severity=result.severity,
            description=result.description,
        )
        for result in results
    ]


def _shards_are_usable(
    set_aside: Mapping[str, SetAside], n_shards: int, folder: object
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=SHARDS_ARE_USABLE,
        passed=not set_aside,
        description=_told(set_aside, f"of {n_shards} shards are set aside")
        or f"all {n_shards} shards are in the pool",
        metadata={
            "n_set_aside": len(set_aside),
            "set_aside": _table(set_aside),
            "folder": str(folder),
        },
    )


def _ids_are_unique(set_aside: Mapping[str, SetAside], n_shards: int) -> dg.AssetCheckResult:
    duplicates = {k: why for k, why in set_aside.items() if why.kind is Kind.DUPLICATE}
    return dg.AssetCheckResult(
        check_name=IDS_ARE_UNIQUE,
        passed=not duplicates,
        description=_told(duplicates, f"of {n_shards} shards repeat another and are set aside")
        or f"no id occurs twice in {n_shards} shards",
        metadata={"n_duplicates": len(duplicates), "duplicates": _table(duplicates)},
    )


def _told(set_aside: Mapping[str, SetAside], what: str) -> str:
    """How many shards, then one line for each of the first of them; empty if there is none."""
    if not set_aside:
        return ""
    lines = [f"{key}: {why.message}" for key, why in list(set_aside.items())[:_N_SHOWN]]
    more = len(set_aside) - len(lines)
    return inert(
        "\n".join(
            [f"{len(set_aside)} {what}:", *lines, *([f"and {more} more"] if more > 0 else [])]
        )
    )


def _table(set_aside: Mapping[str, SetAside]) -> dg.MetadataValue:
    return markdown_table(
        pl.DataFrame(
            {
                "shard": list(set_aside),
                "kind": [str(why.kind) for why in set_aside.values()],
                "what is wrong and what to do": [why.message for why in set_aside.values()],
            }
        )
    )


def _shards_have_the_schema(
    tables: Mapping[str, Described], corpus: CorpusSettings
) -> dg.AssetCheckResult:
    expected = documents_schema(corpus.carried_columns).names
    others = {
        key: table.footer.columns
        for key, table in tables.items()
        if list(table.footer.columns) != expected
    }
    table = pl.DataFrame(
        {"shard": list(others), "columns": [", ".join(columns) for columns in others.values()]}
    )
    return dg.AssetCheckResult(
        check_name=SHARDS_HAVE_THE_SCHEMA,
        passed=not others,
        description=f"all {len(tables)} shards have the columns {', '.join(expected)}"
        if not others
        else inert(
            f"{len(others)} of {len(tables)} shards, the first {next(iter(others))!r}, do not "
            f"have the columns {', '.join(expected)}: they were made with other "
            "corpus.carried_columns; materialise their partitions again"
        ),
        metadata={"other_columns": markdown_table(table.head(_N_LISTED))},
    )


def _few_rows_in_quarantine(tables: Mapping[str, Described], limit: float) -> dg.AssetCheckResult:
    summaries = {key: summary_of(table.summary) for key, table in tables.items()}
    over = {key: s for key, s in summaries.items() if s.quarantine_share > limit}
    table = pl.DataFrame(
        {
            "shard": list(over),
            "n_rows": [s.n_rows for s in over.values()],
            "quarantine_share": [s.quarantine_share for s in over.values()],
            "reasons": [str(s.quarantined) for s in over.values()],
        }
    )
    return dg.AssetCheckResult(
        check_name=FEW_ROWS_IN_QUARANTINE,
        passed=not over,
        description=f"{len(over)} of {len(summaries)} shards have more than {limit:.1%} "
        "of their rows in quarantine" + inert(f", the first {next(iter(over))!r}" if over else ""),
        metadata={
            "n_quarantined": sum(s.n_quarantined for s in summaries.values()),
            "shards_over_the_limit": markdown_table(table.head(_N_LISTED)),
        },
    )
