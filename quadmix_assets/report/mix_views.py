"""Views over all mixes, and over their comparison."""

from collections.abc import Sequence

from quadmix_assets.outputs import (
    FINAL_MIX,
    MIX_COMPARISON,
    SELECTION_RULE,
)
from quadmix_assets.report.view import (
    MIX_CRITERIA,
    MIX_DOMAINS,
    MIX_OVERLAPS,
    View,
    name_at,
    read_files,
    read_of_mixes,
    read_partitions,
    read_summaries,
)

_COUNTS = {
    "n_documents_in": "documents of the shard",
    "n_tokens_in": "tokens of the shard",
    "n_documents_out": "documents of the mix, each counted once",
    "n_copies_out": "documents of the mix, copies included",
    "n_tokens_out": "tokens of the mix, copies included",
    "max_copies": "most copies of one document",
}


def mix_views(domains: Sequence[str]) -> list[View]:
    """Views over what the mixes and the asset group `comparison` write.

    Args:
        domains: names of the settings' domains; calibrations hold their index.
    """
    counts = ", ".join(f"(summary->>'$.{name}')::BIGINT AS {name}" for name in _COUNTS)
    return [
        View(
            "calibration",
            (SELECTION_RULE,),
            "Tables that map merged scores under a mix's theta to ranks; one row per breakpoint.",
            f"SELECT mix, {name_at(domains, 'domain')} AS domain, value AS merged_score, "
            f"share_below, share FROM ({read_of_mixes(SELECTION_RULE)})",
            {
                "domain": "domain that the table is for",
                "merged_score": "merged score (Eq. 1), smaller is better",
                "share_below": "share of the domain's tokens with a smaller one, in [0, 1]",
                "share": "rank (Eq. 2): share of the domain's tokens with this merged score or a "
                "smaller one, in (0, 1]",
            },
        ),
        View(
            "mix",
            (FINAL_MIX,),
            "One row per mix and document in it: scores, rank and copies. Its text is in "
            "`documents`, by shard and id.",
            read_partitions(FINAL_MIX, "shard", ()),
        ),
        View(
            "mix_shards",
            (FINAL_MIX,),
            "One row per mix and shard: how much of the shard is in the mix.",
            f"SELECT mix, shard, {counts} FROM ({read_summaries(FINAL_MIX, 'shard')})",
            _COUNTS,
        ),
        View(
            "mix_comparison",
            (MIX_COMPARISON,),
            "One row per finished mix: its size, length, duplicates and overlap with target sets.",
            f"SELECT * FROM {read_files(MIX_COMPARISON)}",
        ),
        View(
            "mix_domains",
            (MIX_COMPARISON, MIX_DOMAINS),
            "One row per finished mix and domain: its share of the tokens of the mix and the pool.",
            f"SELECT * FROM {read_files(MIX_DOMAINS)}",
        ),
        View(
            "mix_criteria",
            (MIX_COMPARISON, MIX_CRITERIA),
            "One row per finished mix and criterion: the mean score of the mix and of the pool.",
            f"SELECT * FROM {read_files(MIX_CRITERIA)}",
        ),
        View(
            "mix_overlaps",
            (MIX_COMPARISON, MIX_OVERLAPS),
            "One row per pair of finished mixes: the tokens that they have in common.",
            f"SELECT * FROM {read_files(MIX_OVERLAPS)}",
        ),
    ]
