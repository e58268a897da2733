"""Fits the rule of a mix on the scored pool, and says what it takes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from quadmix_assets.features.near_duplicates.pool import read_near_duplicates
from quadmix_assets.features.scored_reference_pool import read_scored_reference_pool
from quadmix_assets.mix.documents import Pool
from quadmix_assets.mix.duplicates import documents_in, drop_duplicates
from quadmix_assets.mix.methods.base import Method
from quadmix_assets.mix.pool import PoolOfShards
from quadmix_assets.mix.rule import Rule, StoredRule
from quadmix_assets.mix.stored_rule import DROPPED_TABLE, read_rule_values, write_rule
from quadmix_assets.outputs import FINAL_MIX, SELECTION_RULE, mix_output
from quadmix_assets.sampling.validation import IntArray
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import NamedMix, Settings
from quadmix_assets.store import Store


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
    pool = PoolOfShards.of_mix(store, read_scored_reference_pool(store), settings, mix)
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
    pool_tokens = np.zeros(pool.n_domains, dtype=np.int64)
    expected_tokens = np.zeros(pool.n_domains, dtype=np.int64)
    n_documents = 0
    for part in kept.parts(hashed=True):
        n_documents += len(part)
        pool_tokens += part.tokens_per_domain()
        expected_tokens += part.tokens_per_domain(rule.decide(part).copies)
    if dropped is not None:
        n_documents += dropped.height
        np.add.at(pool_tokens, dropped["domain"].to_numpy(), dropped["n_tokens"].to_numpy())
    fitted = FittedRule(
        rule=rule,
        tokens=tokens,
        pool_tokens=pool_tokens,
        expected_tokens=expected_tokens,
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
    return fitted


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
