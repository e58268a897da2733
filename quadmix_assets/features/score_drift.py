"""How far the scores of the pool have drifted from what the pinned normalizers were fitted on.

Of every shard the lake keeps a sketch (`score_sketches/`): its tokens by score, at few values of
each criterion. It depends on the scores of the shard alone, so it is made when the shard is scored,
serves normalizers that are fitted later, and the check of a pool of any size reads no scores. What
sketches say of the normalizers is a running total (`score_drift/`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from quadmix_assets.features.normalize_pool import load_normalizers
from quadmix_assets.features.normalizers import RankNormalizer
from quadmix_assets.features.tallies import merge_tallies, numbers_of, tally
from quadmix_assets.outputs import (
    SCORE_DRIFT,
    SCORE_NORMALIZERS,
    SCORE_SKETCHES,
    SCORED_SHARDS,
)
from quadmix_assets.sampling.share_grid import ShareGrid
from quadmix_assets.sampling.share_summary import thinned_values
from quadmix_assets.store import (
    Measuring,
    Store,
    Tables,
    all_described,
    read_kept,
    running_total,
    write_kept,
)

SKETCH_VALUES = 2_000
"""Most values of a criterion in the sketch of a shard."""
GRID_POINTS = 1_000
"""Breakpoints of a normalizer at which the drift from it is measured."""

# Of the formats and of what is measured: with another number all is made anew.
_VERSION = 1
_N_AT_ONCE = 128
_SCHEMA = {
    "criterion": pl.String,
    "score": pl.Float64,
    "n_tokens": pl.Int64,
    "n_off": pl.Int64,
}


@dataclass(frozen=True)
class Drift:
    """The drift of one criterion.

    Attributes:
        distance: that of Kolmogorov and Smirnov between the scores that the normalizer was fitted
            on and those of the pool, in [0, 1].
        max_error: by how much the largest distance at any score may differ from it.
    """

    distance: float
    max_error: float


def write_sketch(store: Store, shard: str, scored: pl.DataFrame, criteria: Sequence[str]) -> None:
    """Keep the sketch of a shard that has just been scored.

    Args:
        store: the lake, which holds the table.
        shard: its key.
        scored: the table's columns `n_tokens` and those of the criteria, at least.
        criteria: the N names.
    """
    seal = store.seal(store.table_path(SCORED_SHARDS, shard))
    path = store.table_path(SCORE_SKETCHES, shard)
    write_kept(store, path, sketch_of(scored, criteria), _made_from(seal, criteria))


def sketch_of(scored: pl.DataFrame, criteria: Sequence[str]) -> pl.DataFrame:
    """Tokens by score of documents, at up to SKETCH_VALUES values of each criterion.

    Returns:
        Columns criterion; score, descending; n_tokens that it stands for; and n_off, by how many
        tokens the tokens at or above any score of that criterion may be off.

    Raises:
        ValueError: a score is NaN or infinite.
    """
    parts = [pl.DataFrame(schema=_SCHEMA)]
    n_tokens = scored["n_tokens"].to_numpy()
    for name in criteria:
        scores = scored[name].cast(pl.Float64).to_numpy()
        values, tokens, n_off = thinned_values(-scores, n_tokens, SKETCH_VALUES)
        columns = {
            "criterion": pl.repeat(name, len(values), dtype=pl.String, eager=True),
            "score": -values,
            "n_tokens": tokens,
            "n_off": pl.repeat(n_off, len(values), dtype=pl.Int64, eager=True),
        }
        parts.append(pl.DataFrame(columns, schema=_SCHEMA))
    return pl.concat(parts)


def score_drift(store: Store, shards: Sequence[str], criteria: Sequence[str]) -> dict[str, Drift]:
    """The drift of every criterion whose normalizer is of kind rank.

    It is measured at up to GRID_POINTS breakpoints of the normalizer's table, where it is off by
    what sketches are, at most a `SKETCH_VALUES - 2`th of the tokens; between two breakpoints it can
    be larger by the share between them. Shards without a sketch are read, and get one.

    Args:
        store: the lake.
        shards: the scored shards of the current pool.
        criteria: the N names.

    Raises:
        MissingOutputError: a shard is not scored, or there are no normalizers.
        ValueError: a shard has no scores by a criterion.
    """
    grids = {
        name: ShareGrid.of(fitted.table, GRID_POINTS)
        for name, fitted in zip(criteria, load_normalizers(store, criteria), strict=True)
        if isinstance(fitted, RankNormalizer)
    }
    scored = all_described(store, SCORED_SHARDS, shards)
    versions = {shard: scored[shard].seal for shard in shards}
    total = running_total(
        store,
        store.root / SCORE_DRIFT,
        versions,
        Measuring(
            {
                "version": _VERSION,
                "normalizers": store.fingerprint(store.root / SCORE_NORMALIZERS),
                "criteria": list(criteria),
            },
            partial(_measure, store, criteria, grids, versions),
            lambda parts: {"counts": merge_tallies([part["counts"] for part in parts])},
            n_at_once=_N_AT_ONCE,
        ),
    )["counts"]
    return {name: _drift(total, name, grid) for name, grid in grids.items()}


def _measure(
    store: Store,
    criteria: Sequence[str],
    grids: Mapping[str, ShareGrid],
    seals: Mapping[str, str],
    shard: str,
) -> Tables:
    def read() -> pl.DataFrame:
        path = store.table_path(SCORED_SHARDS, shard)
        missing = sorted(set(criteria) - set(store.read_schema(path)))
        if missing:
            raise ValueError(
                f"scored_shards of the shard {shard!r} has no column {', '.join(missing)}: the "
                "settings name other criteria now; materialise fitted_models and scored_shards "
                "again"
            )
        return sketch_of(store.read_table(path, ["n_tokens", *criteria]), criteria)

    path = store.table_path(SCORE_SKETCHES, shard)
    sketch = read_kept(store, path, _made_from(seals[shard], criteria), read)
    counts = {}
    for name, grid in grids.items():
        of_criterion = sketch.filter(pl.col("criterion") == name)
        tokens = of_criterion["n_tokens"].to_numpy()
        counts[f"scores {name}"] = grid.tokens_per_cell(-of_criterion["score"].to_numpy(), tokens)
        counts[f"off {name}"] = of_criterion["n_off"].head(1).to_numpy()
    return {"counts": tally(counts)}


def _drift(total: pl.DataFrame, name: str, grid: ShareGrid) -> Drift:
    tokens = numbers_of(total, f"scores {name}", grid.n_cells)
    n_off = numbers_of(total, f"off {name}", 1)[0]
    off = float(n_off / max(int(np.sum(tokens)), 1))
    return Drift(grid.distance(tokens), off + grid.max_error)


def _made_from(seal: str, criteria: Sequence[str]) -> dict[str, Any]:
    return {"version": _VERSION, "scored": seal, "criteria": list(criteria)}
