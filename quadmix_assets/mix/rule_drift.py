"""How far a pinned rule has drifted from the pool as it is now.

What the rule says of the pool is kept in the lake as a running total (`mixes/<mix>/rule_summary/`),
which begins with the pool that the rule was fitted on. A new shard adds what was counted when the
mix decided on it; no row of another shard is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from quadmix_assets.features.scored_documents import versions_of_scored
from quadmix_assets.features.tallies import numbers_of, tally
from quadmix_assets.mix.pool import read_documents
from quadmix_assets.mix.rule_counts import (
    COUNTS,
    RuleCounter,
    counts_path,
    made_from,
    merge_counts,
    rank_group,
    rule_key,
)
from quadmix_assets.mix.stored_rule import read_rule
from quadmix_assets.outputs import RULE_SUMMARY, mix_output
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.settings import Settings
from quadmix_assets.store import Measuring, Store, Tables, read_kept, running_total

_N_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class RuleDrift:
    """What a rule says of the current pool, against what it said when it was fitted.

    Attributes:
        taken_before, taken_now: (M,) tokens that it takes of each domain / tokens of the domain;
            0 of a domain without tokens.
        rank_error: by domain that has documents, the largest distance between a rank by the rule
            and the rank in the current pool, at some breakpoints of its calibration, exact there;
            empty for rules without ranks.
        max_error: by how much a rank between two of these breakpoints can be off more than that.
        domain_names: the M domains.
    """

    taken_before: FloatArray
    taken_now: FloatArray
    rank_error: dict[str, float]
    max_error: float
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
    counter, key = RuleCounter.of(loaded.rule), rule_key(loaded.fingerprints, names)
    versions = versions_of_scored(store, shards)

    def measure(shard: str) -> Tables:
        def count() -> pl.DataFrame:
            read = read_documents(store, [shard], settings, mix, normalizers=loaded.normalizers)
            return tally(counter.count(read, loaded.decide(read), loaded.is_dropped(read)))

        path = counts_path(store, name, shard)
        return {COUNTS: read_kept(store, path, made_from(key, versions[shard]), count)}

    total = running_total(
        store,
        store.root / mix_output(name, RULE_SUMMARY),
        versions,
        Measuring(key, measure, merge_counts, n_at_once=_N_AT_ONCE),
    )[COUNTS]
    now = (numbers_of(total, what, len(names)) for what in ("taken", "tokens"))
    ranked = numbers_of(total, "ranked", len(names))
    compared = [
        (domain, grid)
        for domain, grid, n_documents in zip(names, counter.grids, ranked, strict=False)
        if n_documents
    ]
    errors = {
        domain: grid.distance(numbers_of(total, rank_group(domain), grid.n_cells))
        for domain, grid in compared
    }
    max_error = max((grid.max_error for _, grid in compared), default=0.0)
    before = np.array(loaded.values["expected_tokens"]), np.array(loaded.values["pool_tokens"])
    return RuleDrift(_share(*before), _share(*now), errors, max_error, names)


def _share(taken: np.ndarray, n_tokens: np.ndarray) -> FloatArray:
    return np.asarray(taken / np.maximum(n_tokens, 1), dtype=np.float64)
