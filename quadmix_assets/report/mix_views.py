"""Views over the final mix, and over its comparison with random mixes."""

from collections.abc import Sequence

from quadmix_assets.outputs import FINAL_MIX, RANDOM_COMPARISON, RANK_CALIBRATION
from quadmix_assets.report.view import (
    Columns,
    View,
    name_at,
    read_files,
    read_partitions,
    read_summaries,
)

_COUNTS = {
    "n_documents_in": "documents of the pool",
    "n_tokens_in": "tokens of the pool",
    "n_documents_out": "documents of the mix, each counted once",
    "n_copies_out": "documents of the mix, copies included",
    "n_tokens_out": "tokens of the mix, copies included",
    "max_copies": "most copies of one document",
}


def mix_views(domains: Sequence[str], columns: Columns) -> list[View]:
    """Views over what the asset groups `mix` and `comparison` write.

    Args:
        domains: names of the settings' domains; calibrations hold their index.
        columns: of the outputs that are there.
    """
    counts = ", ".join(f"(summary->>'$.{name}')::BIGINT AS {name}" for name in _COUNTS)
    return [
        View(
            "calibration",
            (RANK_CALIBRATION,),
            "Tables that map merged scores under theta* to ranks; one row per breakpoint.",
            f"SELECT {name_at(domains, 'domain')} AS domain, value AS merged_score, "
            f"share_below, share FROM {read_files(RANK_CALIBRATION)}",
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
            "One row per document of the final mix, with its text, scores, rank and copies.",
            read_partitions(FINAL_MIX, "shard", columns.get(FINAL_MIX, ())),
        ),
        View(
            "mix_shards",
            (FINAL_MIX,),
            "One row per shard: how much of it is in the final mix.",
            f"SELECT shard, {counts} FROM ({read_summaries(FINAL_MIX, 'shard')})",
            _COUNTS,
        ),
        View(
            "random_comparison",
            (RANDOM_COMPARISON,),
            "One row per model and target set: the final mix against random mixes of its size.",
            f"SELECT * FROM {read_files(RANDOM_COMPARISON)}",
        ),
    ]
