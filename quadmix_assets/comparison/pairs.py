"""All mixes of a group against each other: gains with intervals, win rates, corrected p."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from quadmix_assets.comparison.measures import Scores
from quadmix_assets.comparison.paired import PairedGain, holm
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.intervals import finite_or_none

GAIN_SCHEMA = {
    "gain": pl.Float64,
    "gain_low": pl.Float64,
    "gain_high": pl.Float64,
    "interval_over": pl.String,
    "n_sets": pl.Int64,
    "n_seeds": pl.Int64,
    "win_rate": pl.Float64,
    "p": pl.Float64,
}
PAIRS_SCHEMA = {
    "sizes": pl.String,
    "measure": pl.String,
    "model": pl.String,
    "budget": pl.Int64,
    "mix": pl.String,
    "other": pl.String,
    **GAIN_SCHEMA,
    "p_holm": pl.Float64,
    "p_holm_production": pl.Float64,
}


def gain_row(found: PairedGain) -> dict[str, Any]:
    """A gain as the columns of GAIN_SCHEMA; what cannot be told is null."""
    return {
        "gain": finite_or_none(found.gain),
        "gain_low": finite_or_none(found.low),
        "gain_high": finite_or_none(found.high),
        "interval_over": found.interval_over,
        "n_sets": found.n_sets,
        "n_seeds": found.n_seeds,
        "win_rate": finite_or_none(found.win_rate),
        "p": found.p,
    }


def compare_all(
    scores: Scores, *, sizes: str, model: str, budget: int, production: str
) -> pl.DataFrame:
    """Every mix against every other one: columns of PAIRS_SCHEMA, two rows per pair.

    p_holm is corrected for all pairs, p_holm_production for those of the mix in production.

    Args:
        scores: of the mixes, by one measure.
        sizes: name of the group of mixes.
        model, budget: what was measured.
        production: the mix in use.
    """
    places = [(a, b) for a in range(len(scores.mixes)) for b in range(a)]
    pairs = [(scores.mixes[b], scores.mixes[a]) for a, b in places]
    gains = [scores.gain(*pair) for pair in pairs]
    p = np.array([gain.p for gain in gains])
    with_production = np.array([production in pair for pair in pairs], dtype=bool)
    of_production = np.full(len(pairs), np.nan)
    of_production[with_production] = holm(p[with_production])
    rows = []
    for pair, gain, all_pairs, own in zip(pairs, gains, holm(p), of_production, strict=True):
        for (mix, other), found in ((pair, gain), (pair[::-1], reverse(gain))):
            rows.append(
                {
                    "sizes": sizes,
                    "measure": scores.measure.name,
                    "model": model,
                    "budget": budget,
                    "mix": mix,
                    "other": other,
                    **gain_row(found),
                    "p_holm": float(all_pairs),
                    "p_holm_production": finite_or_none(own),
                }
            )
    return pl.DataFrame(rows, schema=PAIRS_SCHEMA)


def reverse(gain: PairedGain) -> PairedGain:
    """The same comparison from the side of the other mix."""
    return PairedGain(
        -gain.gain,
        -gain.high,
        -gain.low,
        gain.p,
        1 - gain.win_rate,
        gain.n_sets,
        gain.n_seeds,
        gain.interval_over,
    )


def win_rate_matrix(pairs: pl.DataFrame, mixes: Sequence[str]) -> FloatArray:
    """(n, n) win rates of the mix of the row against that of the column; NaN on the diagonal.

    Args:
        pairs: columns of PAIRS_SCHEMA, of one measure, model, budget and group.
        mixes: n names.
    """
    table = np.full((len(mixes), len(mixes)), np.nan)
    place = {name: k for k, name in enumerate(mixes)}
    for mix, other, rate in pairs.select("mix", "other", "win_rate").iter_rows():
        if rate is not None and mix in place and other in place:
            table[place[mix], place[other]] = rate
    return table
