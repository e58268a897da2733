"""Tokens of a mix per domain, and the constraints that it does not meet."""

import math
from collections.abc import Mapping
from typing import Any

import polars as pl

from quadmix_assets.settings import ConstraintsSettings

# Copies are drawn at random per document, so that a mix differs a little from its expectation.
_TOLERANCE = 0.01


def domain_table(manifest: Mapping[str, Any]) -> pl.DataFrame:
    """Tokens and token shares of every domain in the pool (`in`) and in the mix (`out`)."""
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


def unmet_constraints(manifest: Mapping[str, Any], asked: ConstraintsSettings) -> list[str]:
    """The constraints that a mix fails to meet by more than 1 %, one sentence each.

    The budget of tokens is the one that the mix was made with.
    """
    totals, table = manifest["totals"], domain_table(manifest)
    problems = []
    budget = manifest["tokens"]
    if budget is not None:
        off = totals["n_tokens_out"] / budget - 1
        if abs(off) > _TOLERANCE:
            problems.append(
                f"the mix has {totals['n_tokens_out']:,} tokens, {off:+.1%} off the "
                f"{budget:,} that were asked for"
            )
    if asked.max_copies is not None and totals["max_copies"] > math.ceil(asked.max_copies):
        problems.append(
            f"a document is taken {totals['max_copies']} times, max_copies is {asked.max_copies}"
        )
    for row in table.iter_rows(named=True):
        limits = asked.domains.get(row["domain"])
        name, share = row["domain"], row["share_out"]
        epochs = row["n_tokens_out"] / max(row["n_tokens_in"], 1)
        own = limits.max_epochs if limits is not None else None
        most = own if own is not None else asked.max_epochs
        if most is not None and epochs > most * (1 + _TOLERANCE) + _TOLERANCE:
            problems.append(f"{name} is taken for {epochs:.3f} epochs, max_epochs is {most}")
        if limits is None:
            continue
        low, high = (
            (limits.min_share, limits.max_share)
            if limits.share is None
            else (limits.share, limits.share)
        )
        if limits.off:
            low = high = 0.0
        if not low - _TOLERANCE <= share <= high + _TOLERANCE:
            wanted = f"{low:.1%}" if low == high else f"{low:.1%} to {high:.1%}"
            problems.append(f"{name} has {share:.1%} of the mix's tokens, {wanted} were asked for")
    return problems
