"""Views over the pool (shards, documents, scores, domains, quarantine) and the target sets."""

from collections.abc import Sequence

from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    NEAR_DUPLICATES,
    QUARANTINE,
    RAW_SHARDS,
    SCORE_NORMALIZERS,
    SCORED_SHARDS,
    TARGET_OVERLAP,
    TARGET_SETS,
)
from quadmix_assets.report.view import (
    Columns,
    View,
    identifier,
    read_files,
    read_partitions,
    read_summaries,
)

# Breakpoints of every criterion, each joined with the next one. A first one at minus infinity
# gives documents that score better than the whole pool the smallest share. The kinds zscore and
# minmax have no breakpoints; their one row is at minus infinity too.
_SIGMA = """\
WITH points AS (
    SELECT criterion, kind, centre, scale, coalesce(value, '-infinity') AS value, share,
        lead(value) OVER following AS next_value,
        lead(share_below) OVER following AS next_share_below
    FROM normalizers WINDOW following AS (PARTITION BY criterion ORDER BY value)
    UNION ALL BY NAME
    SELECT criterion, 'rank' AS kind, '-infinity'::DOUBLE AS value, arg_min(share, value) AS share
    FROM normalizers WHERE kind = 'rank' GROUP BY criterion
)
SELECT shard, id, points.criterion, score, CASE kind
    WHEN 'rank' THEN share + coalesce(
        greatest(next_share_below - share, 0)
        * (-score / 2 - points.value / 2) / (next_value / 2 - points.value / 2), 0)
    WHEN 'minmax' THEN
        CASE WHEN scale = 0 THEN 0 ELSE greatest(0, least(1, (centre - score) / scale)) END
    ELSE CASE WHEN scale = 0 THEN 0 ELSE (centre - score) / scale END
    END AS sigma
FROM (UNPIVOT (SELECT shard, id, {criteria} FROM scores) ON {criteria}
      INTO NAME criterion VALUE score) AS scored
ASOF JOIN points ON scored.criterion = points.criterion AND -scored.score >= points.value"""


def pool_views(criteria: Sequence[str], columns: Columns) -> list[View]:
    """Views over what the asset groups `corpus` and `features` write.

    Args:
        criteria: names of the settings' criteria.
        columns: of the outputs that are there.
    """
    views = [
        View(
            "shards",
            (RAW_SHARDS,),
            "One row per shard: what its input file held and what became of its rows.",
            "SELECT shard, summary->>'$.input.file' AS file, "
            "summary->>'$.input.checksum' AS checksum, "
            "(summary->>'$.n_rows')::BIGINT AS n_rows, "
            "(summary->>'$.n_documents')::BIGINT AS n_documents, "
            "n_rows - n_documents AS n_quarantined, "
            "(summary->>'$.n_bytes')::BIGINT AS n_bytes "
            f"FROM ({read_summaries(RAW_SHARDS, 'shard')})",
            {
                "file": "name of the input file",
                "checksum": "hash of the input file's bytes when it was read",
                "n_rows": "rows of the input file",
                "n_documents": "rows that became documents of the pool",
                "n_quarantined": "rows that could not be used",
                "n_bytes": "bytes of the documents' texts in UTF-8",
            },
        ),
        View(
            "documents",
            (RAW_SHARDS,),
            "One row per document of the pool, with its text.",
            read_partitions(RAW_SHARDS, "shard", columns.get(RAW_SHARDS, ())),
        ),
        View(
            "quarantine",
            (RAW_SHARDS, QUARANTINE),
            "One row per row of the input that could not be used.",
            f"SELECT * FROM {read_files(QUARANTINE)}",
            {"id": "the row's id; null where it is unknown"},
        ),
        View(
            "scores",
            (SCORED_SHARDS,),
            "One row per document of the pool: tokens and raw scores, one column per criterion.",
            read_partitions(SCORED_SHARDS, "shard", ()),
        ),
        View(
            "domains",
            (DOMAIN_LABELS,),
            "One row per document of the pool: its domain.",
            read_partitions(DOMAIN_LABELS, "shard", ()),
        ),
        View(
            "scored_documents",
            (SCORED_SHARDS, DOMAIN_LABELS),
            "One row per document of the pool: scores and domains joined.",
            "SELECT * FROM scores JOIN domains USING (shard, id)",
            is_table=False,
        ),
        View(
            "near_duplicates",
            (NEAR_DUPLICATES,),
            "One row per document of the pool that has near-duplicates; those of one cluster say "
            "nearly the same.",
            f"SELECT * FROM {read_files(NEAR_DUPLICATES)}",
        ),
        View(
            "normalizers",
            (SCORE_NORMALIZERS,),
            "Tables that map a criterion's raw scores to sigma; one row per breakpoint.",
            read_partitions(SCORE_NORMALIZERS, "criterion", ()),
        ),
        View(
            "targets",
            (TARGET_SETS,),
            "One row per document of the target sets.",
            "SELECT regexp_extract(name, '^(.*)[.]([^.]+)$', 1) AS target, "
            "regexp_extract(name, '^(.*)[.]([^.]+)$', 2) AS part, * EXCLUDE (name) "
            f"FROM ({read_partitions(TARGET_SETS, 'name', ())})",
            {
                "target": "name of the target set",
                "part": "fit: criteria may learn from it; search: proxies are scored on it; "
                "proof: nothing is chosen by it",
            },
        ),
        View(
            "target_overlap",
            (TARGET_OVERLAP,),
            "One row per pair of a document of the pool and an evaluated document of a target set "
            "that share a run of 13 words.",
            read_partitions(TARGET_OVERLAP, "shard", ()),
        ),
    ]
    scored = columns.get(SCORED_SHARDS, ())
    with_sigma = [criterion for criterion in criteria if criterion in scored]
    if with_sigma:
        names = ", ".join(identifier(criterion) for criterion in with_sigma)
        views.append(
            View(
                "sigma",
                (SCORED_SHARDS, SCORE_NORMALIZERS),
                "One row per document of the pool and criterion: its normalized score.",
                _SIGMA.format(criteria=names),
                {
                    "criterion": "name of the criterion",
                    "score": "raw score, larger is better",
                    "sigma": "normalized score, smaller is better; kind rank: the share of the "
                    "pool's tokens that score better or equal, in (0, 1]",
                },
                is_table=False,
            )
        )
    return views
