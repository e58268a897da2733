"""The state of every mix in numbers, from footers and small files alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quadmix_assets.outputs import (
    FINAL_MIX,
    MIX_MANIFEST,
    RAW_SHARDS,
    SELECTION_RULE,
    mix_output,
)
from quadmix_assets.settings import NamedMix, Settings
from quadmix_assets.store import Described, MissingOutputError, Store, described_tables


@dataclass(frozen=True)
class MixState:
    """A mix of the settings, summed over its shards; all zero until a shard of it is made.

    Attributes:
        name: of the mix.
        method: of the mix.
        is_production: whether it is the mix in production.
        is_followed: whether new shards are mixed without a click.
        n_shards: shards of the mix.
        n_documents: documents, each counted once.
        n_copies: documents, copies included.
        n_tokens: tokens, copies included.
        n_bytes: size of the tables.
        max_copies: most copies of one document.
        tokens_in, tokens_out: (M,) tokens of each domain in its shards, and those it takes.
        has_manifest: whether a manifest has been written.
        behind: what it lacks of the pool of today, in words; empty if nothing or not made at all.
    """

    name: str
    method: str
    is_production: bool
    is_followed: bool
    n_shards: int
    n_documents: int
    n_copies: int
    n_tokens: int
    n_bytes: int
    max_copies: int
    tokens_in: Sequence[int]
    tokens_out: Sequence[int]
    has_manifest: bool
    behind: Sequence[str]

    @property
    def is_made(self) -> bool:
        """Whether a shard of it is there."""
        return self.n_shards > 0

    @property
    def epochs(self) -> float | None:
        """Tokens that it takes for each token of its shards; None without tokens."""
        n_tokens_in = sum(self.tokens_in)
        return self.n_tokens / n_tokens_in if n_tokens_in else None

    @property
    def in_words(self) -> str:
        """Whether it is in production or followed, and what it lacks."""
        role = "in production" if self.is_production else "followed" if self.is_followed else ""
        state = "not made" if not self.is_made else ", ".join(self.behind) or "complete"
        return f"{role}; {state}" if role else state


def read_mixes(store: Store, settings: Settings, pool: Mapping[str, Described]) -> list[MixState]:
    """The state of all mixes, in the order of the settings.

    Args:
        store: the lake.
        settings: of the profile.
        pool: the tables of the normalized shards (`described_tables` of RAW_SHARDS).

    Raises:
        DamagedOutputError: a footer is not what was written.
    """
    usable = {
        shard: str(table.summary["input"]["checksum"])
        for shard, table in pool.items()
        if not table.summary.get("set_aside")
    }
    return [_read_mix(store, settings, mix, usable) for mix in settings.mixes]


def read_pool(store: Store, shards: Sequence[str]) -> dict[str, Described]:
    """The tables of the normalized shards that are there."""
    return described_tables(store, RAW_SHARDS, shards)


def _read_mix(
    store: Store, settings: Settings, mix: NamedMix, usable: Mapping[str, str]
) -> MixState:
    tables = described_tables(store, mix_output(mix.name, FINAL_MIX), usable)
    summaries = [table.summary for table in tables.values()]
    # Shards that were mixed before a domain was added or removed are behind, and not counted here.
    n_domains = len(settings.domain_names)
    fitting = [s for s in summaries if len(s["n_tokens_in_per_domain"]) == n_domains]
    per_domain = {
        key: [sum(counts) for counts in zip(*(s[key] for s in fitting), strict=True)]
        for key in ("n_tokens_in_per_domain", "n_tokens_out_per_domain")
    }
    has_manifest = store.exists(
        store.path(mix_output(mix.name, MIX_MANIFEST), f"{MIX_MANIFEST}.json")
    )
    return MixState(
        name=mix.name,
        method=mix.method,
        is_production=mix.name == settings.production_mix.name,
        is_followed=settings.is_followed(mix),
        n_shards=len(tables),
        n_documents=sum(s["n_documents_out"] for s in summaries),
        n_copies=sum(s["n_copies_out"] for s in summaries),
        n_tokens=sum(s["n_tokens_out"] for s in summaries),
        n_bytes=sum(table.n_bytes for table in tables.values()),
        max_copies=max((s["max_copies"] for s in summaries), default=0),
        tokens_in=per_domain["n_tokens_in_per_domain"],
        tokens_out=per_domain["n_tokens_out_per_domain"],
        has_manifest=has_manifest,
        behind=_behind(store, settings, mix, tables, usable, has_manifest) if tables else (),
    )


def _behind(
    store: Store,
    settings: Settings,
    mix: NamedMix,
    tables: Mapping[str, Described],
    usable: Mapping[str, str],
    has_manifest: bool,
) -> list[str]:
    inputs = {shard: table.summary["inputs"] for shard, table in tables.items()}
    rule = _rule_fingerprint(store, mix)
    counts = {
        "not mixed": len(usable.keys() - tables.keys()),
        "changed since": sum(made["raw_shard"] != usable[shard] for shard, made in inputs.items()),
        "mixed by an older rule": sum(made[SELECTION_RULE] != rule for made in inputs.values()),
    }
    found = [f"{n} {'shard' if n == 1 else 'shards'} {what}" for what, n in counts.items() if n]
    other = settings.size_taken_from(mix)
    if other is not None and not _has_size_of(store, mix, other):
        found.append(f"not of the size of {other} any more")
    return found if has_manifest else [*found, "no manifest"]


def _has_size_of(store: Store, mix: NamedMix, other: str) -> bool:
    """Whether the rule of a mix was fitted to the size that the rule of another one has now."""
    rules = [
        store.path(mix_output(name, SELECTION_RULE), "rule.json") for name in (mix.name, other)
    ]
    if not all(path.exists() for path in rules):
        return True
    mine, its = (store.read_json(path) for path in rules)
    return bool(mine["tokens"] == sum(its["expected_tokens"]))


def _rule_fingerprint(store: Store, mix: NamedMix) -> str | None:
    try:
        return store.fingerprint(store.root / mix_output(mix.name, SELECTION_RULE))
    except MissingOutputError:
        return None
