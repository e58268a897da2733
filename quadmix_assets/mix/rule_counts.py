"""What a rule says of documents, in whole numbers by domain that add up over shards.

The lake keeps them of every shard that a mix has decided on (`mixes/<mix>/rule_counts/`), and what
they say of the pool that a rule was fitted on as a total (`mixes/<mix>/rule_summary/`), so that the
check of the rule decides on no document again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from upath import UPath

from quadmix_assets.features.tallies import merge_tallies
from quadmix_assets.mix.documents import Documents
from quadmix_assets.mix.methods.theta_rule import ThetaRule
from quadmix_assets.mix.rule import Decisions, Rule
from quadmix_assets.outputs import RULE_COUNTS, SCORE_NORMALIZERS, SELECTION_RULE, mix_output
from quadmix_assets.sampling.share_grid import ShareGrid
from quadmix_assets.sampling.validation import IntArray
from quadmix_assets.store import Store, Tables

GRID_POINTS = 250
"""Breakpoints of a domain's calibration at which ranks are compared."""
COUNTS = "counts"
"""The name of the table in a total."""

# Of the format and of what is counted: with another number all is counted anew.
_VERSION = 2


@dataclass(frozen=True, eq=False)
class RuleCounter:
    """Counts what a rule says.

    Attributes:
        grids: of each domain, where ranks are compared; none of a rule without ranks.
    """

    grids: Sequence[ShareGrid]

    @classmethod
    def of(cls, rule: Rule) -> "RuleCounter":
        """That of a rule."""
        tables = rule.calibration.tables if isinstance(rule, ThetaRule) else ()
        return cls([ShareGrid.of(table, GRID_POINTS) for table in tables])

    def count(
        self, documents: Documents, made: Decisions, is_dropped: np.ndarray | None = None
    ) -> dict[str, IntArray]:
        """Numbers of D documents by group.

        Args:
            documents: that were decided on.
            made: the decisions.
            is_dropped: (D,) near-duplicates that the rule never takes: they were not ranked when
                it was fitted. None: there are none.

        Returns:
            `tokens` and `taken` (M,) tokens of each domain in the pool and in the mix; `ranked`
            (M,) documents; `ranks <domain>` tokens by cell of its grid.
        """
        ranked = np.ones(len(documents), dtype=bool) if is_dropped is None else ~is_dropped
        counts = {
            "tokens": documents.tokens_per_domain(),
            "taken": documents.tokens_per_domain(made.copies),
            "ranked": np.bincount(documents.domains[ranked], minlength=documents.n_domains),
        }
        if made.merged_score is not None:
            for index, (domain, grid) in enumerate(
                zip(documents.domain_names, self.grids, strict=False)
            ):
                members = np.flatnonzero(ranked & (documents.domains == index))
                counts[rank_group(domain)] = grid.tokens_per_cell(
                    made.merged_score[members], documents.n_tokens[members]
                )
        return counts


def rank_group(domain: str) -> str:
    """The group of the tokens by rank of a domain."""
    return f"ranks {domain}"


def merge_counts(parts: Sequence[Tables]) -> Tables:
    """The sum of totals, or of the counts of shards."""
    return {COUNTS: merge_tallies([part[COUNTS] for part in parts])}


def rule_key(fingerprints: Mapping[str, str], domain_names: Sequence[str]) -> dict[str, Any]:
    """What besides the documents decides on the counts.

    Args:
        fingerprints: of the rule and, where it reads normalized scores, of the normalizers; others
            are ignored.
        domain_names: the M domains.
    """
    return {
        "version": _VERSION,
        "rule": fingerprints[SELECTION_RULE],
        "normalizers": fingerprints.get(SCORE_NORMALIZERS),
        "domains": list(domain_names),
    }


def made_from(key: Mapping[str, Any], version: str) -> dict[str, Any]:
    """What the counts of a shard are made from: `rule_key`, and the version of its scores."""
    return {**key, "scored": version}


def counts_path(store: Store, mix: str, shard: str) -> UPath:
    """Where the counts of a shard are kept."""
    return store.table_path(mix_output(mix, RULE_COUNTS), shard)
