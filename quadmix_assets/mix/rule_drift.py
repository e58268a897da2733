"""How far a pinned rule has drifted from the pool as it is now.

What the rule says of a shard is kept in the lake as a running total (`mixes/<mix>/rule_summary/`):
a new shard is decided on alone, and no row of another one is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quadmix_assets.features.scored_documents import versions_of_scored
from quadmix_assets.features.tallies import merge_tallies, numbers_of, tally
from quadmix_assets.mix.documents import Documents
from quadmix_assets.mix.methods.theta_rule import ThetaRule
from quadmix_assets.mix.pool import read_documents
from quadmix_assets.mix.rule import Rule
from quadmix_assets.mix.stored_rule import LoadedRule, read_rule
from quadmix_assets.outputs import (
    RULE_SUMMARY,
    SCORE_NORMALIZERS,
    SELECTION_RULE,
    mix_output,
)
from quadmix_assets.sampling.share_grid import ShareGrid
from quadmix_assets.sampling.validation import FloatArray, IntArray
from quadmix_assets.settings import Settings
from quadmix_assets.store import Measuring, Store, Tables, running_total

GRID_POINTS = 1_000
"""Breakpoints of a domain's calibration at which ranks are compared."""

# Of the format and of what is measured: with another number all is measured anew.
_VERSION = 1


@dataclass(frozen=True, eq=False)
class RuleDrift:
    """What a rule says of the current pool, against what it said when it was fitted.

    Attributes:
        taken_before, taken_now: (M,) tokens that it takes of each domain / tokens of the domain;
            0 of a domain without tokens.
        rank_error: by domain that has documents, the largest distance between a rank by the rule
            and the rank in the current pool, at up to GRID_POINTS breakpoints, between which it may
            be larger by 1 / (GRID_POINTS - 1); empty for rules without ranks.
        domain_names: the M domains.
    """

    taken_before: FloatArray
    taken_now: FloatArray
    rank_error: dict[str, float]
    domain_names: tuple[str, ...]

    @property
    def by_domain(self) -> dict[str, float]:
        """The error of ranks, or where there are none the change of the share that is taken."""
        if self.rank_error:
            return self.rank_error
        change = np.abs(self.taken_now - self.taken_before)
        return {name: float(value) for name, value in zip(self.domain_names, change, strict=True)}


def rule_drift(store: Store, shards: Sequence[str], settings: Settings, name: str) -> RuleDrift:
    """Compare the rule of a mix with the current pool.

    Args:
        store: the lake.
        shards: the scored shards of the current pool.
        settings: of the profile.
        name: of the mix.

    Raises:
        MissingOutputError: the rule has not been made, or a shard has no scores.
    """
    loaded, mix = read_rule(store, settings, name), settings.mix_named(name)
    names = settings.domain_names
    grids = _grids(loaded.rule)

    def measure(shard: str) -> Tables:
        documents = read_documents(store, [shard], settings, mix, normalizers=loaded.normalizers)
        return {"counts": tally(_counts(documents, loaded, grids))}

    total = running_total(
        store,
        store.root / mix_output(name, RULE_SUMMARY),
        versions_of_scored(store, shards),
        Measuring(
            {
                "version": _VERSION,
                "rule": loaded.fingerprints[SELECTION_RULE],
                "normalizers": loaded.fingerprints.get(SCORE_NORMALIZERS),
                "domains": list(names),
            },
            measure,
            lambda parts: {"counts": merge_tallies([part["counts"] for part in parts])},
        ),
    )["counts"]
    now = (numbers_of(total, what, len(names)) for what in ("taken", "tokens"))
    ranked = numbers_of(total, "ranked", len(names))
    errors = {
        domain: grid.distance(numbers_of(total, f"ranks {domain}", grid.n_cells))
        for domain, grid, n_documents in zip(names, grids, ranked, strict=False)
        if n_documents
    }
    before = np.array(loaded.values["expected_tokens"]), np.array(loaded.values["pool_tokens"])
    return RuleDrift(_share(*before), _share(*now), errors, names)


def _grids(rule: Rule) -> list[ShareGrid]:
    """Of each domain, where ranks are compared; none of a rule without ranks."""
    tables = rule.calibration.tables if isinstance(rule, ThetaRule) else ()
    return [ShareGrid.of(table, GRID_POINTS) for table in tables]


def _counts(
    documents: Documents, loaded: LoadedRule, grids: Sequence[ShareGrid]
) -> dict[str, IntArray]:
    """What the rule says of the documents of a shard, in whole numbers by domain or cell."""
    made = loaded.decide(documents)
    # Near-duplicates that the rule drops were not ranked when it was fitted.
    ranked = ~loaded.is_dropped(documents)
    counts = {
        "tokens": documents.tokens_per_domain(),
        "taken": documents.tokens_per_domain(made.copies),
        "ranked": np.bincount(documents.domains[ranked], minlength=documents.n_domains),
    }
    if made.merged_score is not None:
        for index, (domain, grid) in enumerate(zip(documents.domain_names, grids, strict=False)):
            members = ranked & (documents.domains == index)
            counts[f"ranks {domain}"] = grid.tokens_per_cell(
                made.merged_score[members], documents.n_tokens[members]
            )
    return counts


def _share(taken: np.ndarray, n_tokens: np.ndarray) -> FloatArray:
    return np.asarray(taken / np.maximum(n_tokens, 1), dtype=np.float64)
