"""Defines a view of the catalog, and the SQL that the views' queries share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from quadmix_assets.corpus.target_sets import PARTS
from quadmix_assets.outputs import (
    BENCHMARK_RESULTS,
    CLIMB_PROXIES,
    COMPARISON_TABLE,
    DOMAIN_LABELS,
    DOMAIN_PROXIES,
    FINAL_MIX,
    LANGUAGE_MODEL,
    MIX_COMPARISON,
    MIXES,
    NEAR_DUPLICATES,
    OPTIMUM_CHECK,
    PARAMETER_SETS,
    PROXY_EVALUATION,
    PROXY_FIDELITY,
    PROXY_METRICS,
    PROXY_POOL,
    PROXY_READS,
    PROXY_REPEATS,
    QUARANTINE,
    RAW_SHARDS,
    REFINEMENT,
    SAMPLED_SUBSET,
    SCORE_NORMALIZERS,
    SCORED_SHARDS,
    SELECTION_RULE,
    TARGET_OVERLAP,
    TARGET_SETS,
    VERIFICATION,
)
from quadmix_assets.report.columns import columns_of, describe
from quadmix_assets.settings import Settings
from quadmix_assets.store.tables import SUMMARY_KEY

# Columns that the Parquet files of an output hold, by output; outputs without files are left out.
Columns = Mapping[str, Sequence[str]]

# The tables of the comparison of mixes, besides the one of the mixes themselves.
MIX_DOMAINS, MIX_CRITERIA, MIX_OVERLAPS = (
    f"{MIX_COMPARISON}/{table}" for table in ("domains", "criteria", "overlaps")
)

# The tables of the comparison by models, besides the one of the mixes of one size.
COMPARISON_NATURAL = f"{COMPARISON_TABLE}/natural"
COMPARISON_PAIRS = f"{COMPARISON_TABLE}/pairs"
COMPARISON_BUDGETS = f"{COMPARISON_TABLE}/budgets"
COMPARISON_ABLATIONS = f"{COMPARISON_TABLE}/ablations"
COMPARISON_REGRESSORS = f"{COMPARISON_TABLE}/regressors"
COMPARISON_PUBLISHED = f"{COMPARISON_TABLE}/published"

# The Parquet files of every output that views read, as glob patterns below the lake.
FILES = {
    **{
        output: (f"{output}/*.parquet",)
        for output in (
            RAW_SHARDS,
            QUARANTINE,
            TARGET_OVERLAP,
            SCORED_SHARDS,
            DOMAIN_LABELS,
            NEAR_DUPLICATES,
            SCORE_NORMALIZERS,
            PROXY_POOL,
            SAMPLED_SUBSET,
            PROXY_READS,
            PROXY_METRICS,
            PROXY_EVALUATION,
            PROXY_REPEATS,
            DOMAIN_PROXIES,
            VERIFICATION,
            PROXY_FIDELITY,
            OPTIMUM_CHECK,
        )
    },
    TARGET_SETS: tuple(f"{TARGET_SETS}/*.{part}.parquet" for part in PARTS),
    # Rounds of refinement have files of their own.
    PARAMETER_SETS: (f"{PARAMETER_SETS}/*.parquet", f"{REFINEMENT}/*.parquet"),
    # Of all mixes, also of those that are added later.
    SELECTION_RULE: (f"{MIXES}/*/{SELECTION_RULE}/calibration.parquet",),
    CLIMB_PROXIES: (f"{MIXES}/*/{CLIMB_PROXIES}/{CLIMB_PROXIES}.parquet",),
    FINAL_MIX: (f"{MIXES}/*/{FINAL_MIX}/*.parquet",),
    LANGUAGE_MODEL: (f"{MIXES}/*/{LANGUAGE_MODEL}/models.parquet",),
    BENCHMARK_RESULTS: (f"{MIXES}/*/{BENCHMARK_RESULTS}/results.parquet",),
    MIX_COMPARISON: (f"{MIX_COMPARISON}/mixes.parquet",),
    MIX_DOMAINS: (f"{MIX_DOMAINS}.parquet",),
    MIX_CRITERIA: (f"{MIX_CRITERIA}.parquet",),
    MIX_OVERLAPS: (f"{MIX_OVERLAPS}.parquet",),
    COMPARISON_TABLE: (f"{COMPARISON_TABLE}/methods.parquet",),
    COMPARISON_NATURAL: (f"{COMPARISON_NATURAL}.parquet",),
    COMPARISON_PAIRS: (f"{COMPARISON_PAIRS}.parquet",),
    COMPARISON_BUDGETS: (f"{COMPARISON_BUDGETS}.parquet",),
    COMPARISON_ABLATIONS: (f"{COMPARISON_ABLATIONS}.parquet",),
    COMPARISON_REGRESSORS: (f"{COMPARISON_REGRESSORS}.parquet",),
    COMPARISON_PUBLISHED: (f"{COMPARISON_PUBLISHED}.parquet",),
}
_FILE = "lake_file"

# Columns that views add to the rows of a partition.
_PARTITIONS = {
    "mix": "name of the mix",
    "shard": "partition key of the input file",
    "proxy_batch": "partition key of the batch of proxies",
    "criterion": "name of the criterion",
}


@dataclass(frozen=True, eq=False)
class View:
    """A view over the lake's files, or over other views.

    Attributes:
        name: what queries call it.
        outputs: folders of the lake that it reads; without files in one of them there is no view.
        comment: what one row is.
        query: its SQL; `lake()` is the lake's root.
        columns: meaning and unit of the columns that are not columns of the outputs' tables, or
            mean something else there.
        is_table: its rows are rows of files, so that Parquet footers hold their number.
    """

    name: str
    outputs: tuple[str, ...]
    comment: str
    query: str
    columns: Mapping[str, str] = field(default_factory=dict)
    is_table: bool = True

    def meaning(self, column: str, settings: Settings) -> str:
        """What a column holds, and in which unit."""
        if column in self.columns:
            return self.columns[column]
        known = [columns_of(output, settings).get(column) for output in self.outputs]
        other = [describe(output, column, settings) for output in self.outputs]
        found = [str(one) for one in (*known, _PARTITIONS.get(column), *other) if one is not None]
        return found[0] if found else ""


def read_files(output: str, *options: str) -> str:
    """SQL: a table function that reads all files of an output."""
    globs = ", ".join(f"lake() || {literal('/' + pattern)}" for pattern in FILES[output])
    # One of several patterns may match nothing, such as that of REFINEMENT before the first round.
    more = ["allow_empty = true"] if len(FILES[output]) > 1 else []
    return f"read_parquet({', '.join([f'[{globs}]', *options, *more])})"


def read_partitions(output: str, key: str, columns: Sequence[str]) -> str:
    """SQL: all rows of an output's partitions, with the partition in a column `key`.

    Rows of an output of mixes also have the name of the mix, in a column `mix`. Files may differ in
    their columns while a changed setting has not been applied to all shards; a column that a file
    lacks is null. An input's own column named `key` becomes `input_<key>`.
    """
    renamed = f" RENAME ({key} AS input_{key})" if key in columns else ""
    files = read_files(output, "union_by_name = true", f"filename = '{_FILE}'")
    keys = f"{_mix(output, _FILE)}parse_filename({_FILE}, true) AS {key}"
    return f"SELECT {keys}, * EXCLUDE ({_FILE}){renamed} FROM {files}"


def read_of_mixes(output: str) -> str:
    """SQL: all rows of a table that every mix has one of, with the mix in a column `mix`."""
    files = read_files(output, "union_by_name = true", f"filename = '{_FILE}'")
    return f"SELECT {_mix(output, _FILE)}* EXCLUDE ({_FILE}) FROM {files}"


def read_summaries(output: str, key: str) -> str:
    """SQL: the summaries in an output's Parquet footers, as columns `key` and `summary` (JSON).

    Those of an output of mixes also have the name of the mix, in a column `mix`.
    """
    (pattern,) = FILES[output]
    return (
        f"SELECT {_mix(output, 'file_name')}parse_filename(file_name, true) AS {key}, "
        "decode(value)::JSON AS summary "
        f"FROM parquet_kv_metadata(lake() || {literal('/' + pattern)}) "
        f"WHERE decode(key) = {literal(SUMMARY_KEY)}"
    )


def _mix(output: str, file: str) -> str:
    """SQL: the column `mix` and a comma, from the path of a file; nothing for other outputs."""
    if not FILES[output][0].startswith(f"{MIXES}/"):
        return ""
    return f"regexp_extract({file}, '{MIXES}/([^/]+)/[^/]+/[^/]+$', 1) AS mix, "


def literal(text: str) -> str:
    """SQL: a string."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """SQL: a name, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


def name_at(names: Sequence[str], index: str) -> str:
    """SQL: the name at an index that counts from 0."""
    return f"[{', '.join(literal(name) for name in names)}][{index} + 1]"
