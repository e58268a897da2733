"""How far the scores of a shard are from the pool that the normalizers were fitted on.

The measure is the population stability index (PSI) of every criterion: sum over bins of
(observed - expected) * ln(observed / expected). The bins are tenths of the fitted pool's tokens,
which the table of a rank normalizer states, so that only the shard's own scores are read. Results
are kept by shard, so that a new shard is the only one that is measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from quadmix_assets.features.normalize_pool import load_normalizers
from quadmix_assets.features.normalizers import RankNormalizer
from quadmix_assets.outputs import POPULATION_SHIFT, SCORE_NORMALIZERS, SCORED_SHARDS
from quadmix_assets.sampling import TokenShareTable
from quadmix_assets.store import Store, all_described

_N_BINS = 10
# A shard of a few documents differs from any pool by chance: what chance exceeds once in so many
# shards is allowed on top of the limit.
_CHANCE = 1e-3
_MOST_NAMES = 5
_FILE = "population_shift.json"
# The lake's record of the shards that the normalizers were fitted on.
_REFERENCE = "scored_reference_pool"


@dataclass(frozen=True)
class Shift:
    """The shift of one criterion's scores in one shard.

    Attributes:
        psi: the population stability index.
        by_chance: the index that documents drawn from the fitted pool itself would rarely exceed.
    """

    psi: float
    by_chance: float

    def exceeds(self, limit: float) -> bool:
        """Whether the index is above the limit by more than chance explains."""
        return self.psi > limit + self.by_chance


def population_shift(table: TokenShareTable, sigma: np.ndarray, n_tokens: np.ndarray) -> Shift:
    """The shift of documents against the pool that a rank normalizer was fitted on.

    Args:
        table: of the normalizer.
        sigma: (D,) normalized scores of the documents, in (0, 1].
        n_tokens: (D,) token counts.
    """
    from scipy.stats import chi2

    weights = n_tokens.astype(np.float64)
    if not weights.sum() or not len(table.share):
        return Shift(0.0, 0.0)
    # Bins end at shares that documents can have, or a group of ties would be split by a bin's edge.
    wanted = np.arange(1, _N_BINS + 1) / _N_BINS
    ends = np.unique(table.share[np.searchsorted(table.share, wanted - 1e-12)])
    expected = np.diff(ends, prepend=0.0)
    # Documents are of unequal length: the effective number of equally long ones (Kish).
    n = float(weights.sum() ** 2 / (weights**2).sum())
    bins = np.searchsorted(ends, sigma - 1e-12)
    counts = np.bincount(np.minimum(bins, len(ends) - 1), weights=weights, minlength=len(ends))
    # Half a document in every bin keeps empty bins finite.
    observed = (n * counts / weights.sum() + 0.5) / (n + 0.5 * len(ends))
    psi = float(((observed - expected) * np.log(observed / expected)).sum())
    by_chance = float(chi2.ppf(1 - _CHANCE, len(ends) - 1) / n) if len(ends) > 1 else 0.0
    return Shift(psi, by_chance)


def reference_shards(store: Store) -> frozenset[str]:
    """The shards that the normalizers were fitted on; empty where the lake has no record of them.

    A shard of the reference pool may well differ from the whole, as one source does from another.
    """
    path = store.path(_REFERENCE, f"{_REFERENCE}.json")
    return frozenset(store.read_json(path)["shards"]) if path.exists() else frozenset()


def shifts_of_shards(
    store: Store, shards: Sequence[str], criteria: Sequence[str]
) -> dict[str, dict[str, Shift]]:
    """By shard and criterion, the shift against the pool that the normalizers were fitted on.

    Criteria whose normalizers are not of kind rank have none. Results are kept in the lake, and a
    shard is measured again only when its scores or the normalizers have changed.

    Raises:
        MissingOutputError: the normalizers have not been fitted, or a shard is not scored.
    """
    path = store.path(POPULATION_SHIFT, _FILE)
    known: dict[str, Any] = store.read_json(path) if path.exists() else {}
    normalizers = store.fingerprint(store.root / SCORE_NORMALIZERS)
    kept: Mapping[str, Any] = known["shards"] if known.get("normalizers") == normalizers else {}
    tables = {
        name: fitted.table
        for name, fitted in zip(criteria, load_normalizers(store, criteria), strict=True)
        if isinstance(fitted, RankNormalizer)
    }
    now: dict[str, Any] = {}
    for shard, scored in all_described(store, SCORED_SHARDS, shards).items():
        made_from = scored.inputs
        entry = kept.get(shard)
        if entry is None or entry["made_from"] != made_from or set(entry["psi"]) != set(tables):
            entry = {"made_from": made_from, "psi": _measure(store, shard, tables)}
        now[shard] = entry
    if now != kept:
        store.write_json(path, {"normalizers": normalizers, "shards": now}, lines_of="shards")
    return {
        shard: {name: Shift(*values) for name, values in entry["psi"].items()}
        for shard, entry in now.items()
    }


def shift_table(
    found: Mapping[str, Mapping[str, Shift]], limit: float
) -> tuple[pl.DataFrame, dict[str, list[str]]]:
    """All shifts, the largest first, and the criteria that exceed the limit by shard.

    The table has the columns shard, criterion, psi, by_chance (what documents of the fitted pool
    would rarely exceed).
    """
    rows = [
        {"shard": shard, "criterion": name, "psi": shift.psi, "by_chance": shift.by_chance}
        for shard, shifts in found.items()
        for name, shift in shifts.items()
    ]
    text, number = pl.String, pl.Float64
    schema = {"shard": text, "criterion": text, "psi": number, "by_chance": number}
    table = pl.DataFrame(rows, schema=schema).sort("psi", descending=True, maintain_order=True)
    far = {
        shard: names
        for shard, shifts in found.items()
        if (names := [name for name, shift in shifts.items() if shift.exceeds(limit)])
    }
    return table, far


def describe_shifts(
    found: Mapping[str, Mapping[str, Shift]], far: Mapping[str, Sequence[str]], limit: float
) -> str:
    """What was found, in words, and what to do about the shards that are far from the pool."""
    if not any(found.values()):
        return "no shard to compare: there is no new one, or the normalizers are not of kind rank"
    if not far:
        return (
            f"the scores of {len(found)} shards resemble those that the normalizers were fitted "
            f"on (population stability index, limit {limit})"
        )
    named = [
        f"{shard} ({', '.join(f'{name} {found[shard][name].psi:.2f}' for name in names)})"
        for shard, names in list(far.items())[:_MOST_NAMES]
    ]
    more = f" and {len(far) - _MOST_NAMES} more" if len(far) > _MOST_NAMES else ""
    return (
        f"the scores of {len(far)} of {len(found)} shards are unlike those that the normalizers "
        f"were fitted on (population stability index above {limit}): {', '.join(named)}{more}. "
        "Look at their files: another source, or damage? If they belong to the pool, materialise "
        "score_normalizers and all assets downstream of it"
    )


def _measure(
    store: Store, shard: str, tables: Mapping[str, TokenShareTable]
) -> dict[str, list[float]]:
    """By criterion, the index of a shard and the one that chance explains."""
    scores = store.read_table(store.table_path(SCORED_SHARDS, shard), ["n_tokens", *tables])
    n_tokens = scores["n_tokens"].to_numpy()
    found = {}
    for name, table in tables.items():
        shift = population_shift(table, table(-scores[name].to_numpy()), n_tokens)
        found[name] = [shift.psi, shift.by_chance]
    return found
