"""The mix as a small table."""

from collections.abc import Mapping
from typing import Any

import polars as pl


def domain_table(manifest: Mapping[str, Any]) -> pl.DataFrame:
    """Tokens and token shares of every domain before and after, from a manifest."""
    tokens_in = pl.Series(manifest["n_tokens_in_per_domain"], dtype=pl.Int64)
    tokens_out = pl.Series(manifest["n_tokens_out_per_domain"], dtype=pl.Int64)
    return pl.DataFrame(
        {
            "domain": manifest["domains"],
            "n_tokens_in": tokens_in,
            "n_tokens_out": tokens_out,
            "share_in": tokens_in / max(tokens_in.sum(), 1),
            "share_out": tokens_out / max(tokens_out.sum(), 1),
        }
    )
