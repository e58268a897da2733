"""Fits the rule of a mix on the scored pool, and says what it takes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from quadmix_assets.features.near_duplicates.pool import read_near_duplicates
from quadmix_assets.features.scored_documents import versions_of_scored
from quadmix_assets.features.scored_reference_pool import read_scored_reference_pool
from quadmix_assets.features.tallies import tally
from quadmix_assets.mix.documents import Pool
from quadmix_assets.mix.duplicates import documents_in, drop_duplicates
from quadmix_assets.mix.methods.base import Method
from quadmix_assets.mix.pool import PoolOfShards
from quadmix_assets.mix.rule import Rule, StoredRule
from quadmix_assets.mix.rule_counts import COUNTS, RuleCounter, rule_key
from quadmix_assets.mix.stored_rule import DROPPED_TABLE, read_rule_values, write_rule
from quadmix_assets.outputs import (
    FINAL_MIX,
    RULE_SUMMARY,
    SCORE_NORMALIZERS,
    SELECTION_RULE,
    mix_output,
)
from quadmix_assets.sampling.validation import IntArray
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import NamedMix, Settings
from quadmix_assets.store import Store, keep_total


@dataclass(frozen=True, eq=False)
class FittedRule:
    """A rule with what it takes of the pool that it was fitted on.

    Attributes:
        rule: the rule.
        tokens: that the mix was asked for; None: what the method takes by itself.
        pool_tokens: (M,) tokens of each domain in the pool.
        expected_tokens: (M,) tokens that the rule takes of each domain of the pool, copies
            included, exact to a document.
        n_documents: of the pool.
        dropped: `n_documents` and `n_tokens` of near-duplicates that it never takes.
        prediction: what was predicted and measured of the mix before; None if nothing was.
    """

    rule: Rule
    tokens: int | None
    pool_tokens: IntArray
    expected_tokens: IntArray
    n_documents: int
    dropped: Mapping[str, int]
    prediction: Mapping[str, Any] | None


def fit_rule(store: Store, settings: Settings, name: str) -> FittedRule:
    """Fit and store the rule of the mix of that name on scores of the pool, never on text.

    Raises:
        MissingOutputError: a shard has no scores or domains, or what the rule is fitted on besides
            has not been made.
        ValueError: the pool cannot give the tokens that were asked for, or what the rule is fitted
            on was made for other criteria or domains; the message says what to do.
    """
    mix = settings.mix_named(name)
    shards = read_scored_reference_pool(store)
    versions, inputs = versions_of_scored(store, shards), dict[str, str]()
    if mix.normalized:
        inputs[SCORE_NORMALIZERS] = store.fingerprint(store.root / SCORE_NORMALIZERS)
    pool = PoolOfShards.of_mix(store, shards, settings, mix)
    method = mix.implementation()(mix, store, settings)
    tokens = resolved_tokens(store, settings, mix)
    seed = derive_seed(settings.seed_of(mix), FINAL_MIX)
    dropped = _dropped(store, mix, method, pool)
    kept = pool if dropped is None else pool.without(dropped["id_hash"].to_numpy())
    try:
        rule = method.fit(kept, tokens=tokens, seed=seed)
    except ValueError as error:
        raise ValueError(
            f"the mix {name} cannot be made: {error}; then materialise "
            f"{mix_output(name, SELECTION_RULE)} again"
        ) from error
    counts = _count(rule, kept)
    n_documents = int(counts["ranked"].sum())
    if dropped is not None:
        n_documents += dropped.height
        np.add.at(counts["tokens"], dropped["domain"].to_numpy(), dropped["n_tokens"].to_numpy())
    fitted = FittedRule(
        rule=rule,
        tokens=tokens,
        pool_tokens=counts["tokens"],
        expected_tokens=counts["taken"],
        n_documents=n_documents,
        dropped=_counts(dropped),
        prediction=method.prediction(),
    )
    write_rule(
        store,
        mix,
        _with_dropped(rule.stored(), dropped),
        {
            "tokens": fitted.tokens,
            "pool_tokens": fitted.pool_tokens.tolist(),
            "expected_tokens": fitted.expected_tokens.tolist(),
            "n_documents": fitted.n_documents,
            "dropped_duplicates": fitted.dropped,
            "prediction": fitted.prediction,
            "objective": settings.objective_of(mix) if mix.uses_theta else mix.objective_name,
        },
    )
    # The check of the rule begins with what it says of the pool that it was fitted on.
    inputs[SELECTION_RULE] = store.fingerprint(store.root / mix_output(name, SELECTION_RULE))
    keep_total(
        store.root / mix_output(name, RULE_SUMMARY),
        versions,
        rule_key(inputs, settings.domain_names),
        {COUNTS: tally(counts)},
    )
    return fitted


def _count(rule: Rule, pool: Pool) -> dict[str, IntArray]:
    """What a rule says of all documents that it was fitted on; see `RuleCounter.count`."""
    counter = RuleCounter.of(rule)
    counts: dict[str, IntArray] = {}
    for part in pool.parts(hashed=True):
        for group, numbers in counter.count(part, rule.decide(part)).items():
            counts[group] = counts.get(group, 0) + numbers
    return counts


def _dropped(store: Store, mix: NamedMix, method: Method[Any], pool: Pool) -> pl.DataFrame | None:
    """The near-duplicates that the mix never takes, see `Dropped.table`; None if it takes all."""
    if not mix.drop_duplicates:
        return None
    clusters = read_near_duplicates(store)
    members = documents_in(pool, clusters)
    if isinstance(mix.drop_duplicates, str):
        quality = -members.score(mix.drop_duplicates)
    else:
        quality = method.quality(members)
    return drop_duplicates(members, clusters, quality).table(members)


def _with_dropped(stored: StoredRule, dropped: pl.DataFrame | None) -> StoredRule:
    if dropped is None:
        return stored
    return replace(stored, tables={**stored.tables, DROPPED_TABLE: dropped})


def _counts(dropped: pl.DataFrame | None) -> dict[str, int]:
    if dropped is None:
        return {"n_documents": 0, "n_tokens": 0}
    return {"n_documents": dropped.height, "n_tokens": int(dropped["n_tokens"].sum())}


def resolved_tokens(store: Store, settings: Settings, mix: NamedMix) -> int | None:
    """The number of tokens that a mix is asked for; None: what its method takes by itself.

    Raises:
        MissingOutputError: it is that of another mix, whose rule has not been made.
    """
    wanted = settings.tokens_of(mix)
    if not isinstance(wanted, str):
        return wanted
    return int(sum(read_rule_values(store, wanted)["expected_tokens"]))
