"""Scales of documents that come in parts, with guesses that are right and wrong."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quadmix_assets.mix.methods.scaling import Columns, Scale, TokensOutOfReachError
from quadmix_assets.sampling.validation import IntArray

rates = st.sampled_from([0.1, 0.25, 0.3, 2.0])
rows = st.lists(
    st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 20), rates),
    min_size=1,
    max_size=30,
    unique_by=lambda row: row[0],
)
factors = st.sampled_from([0.0, 1e-9, 0.4, 3.0, 3.3, 10.0, 39.0, 40.0])
HIGHEST = 40.0


def copies(factor: float, columns: Columns) -> IntArray:
    return np.floor(factor * columns[2]).astype(np.int64)


@settings(max_examples=300, deadline=None)
@given(rows, st.integers(0, 900), st.tuples(factors, factors), st.integers(1, 5))
def test_parts_and_guesses_change_nothing(
    documents: list[tuple[int, int, float]],
    tokens: int,
    guess: tuple[float, float],
    n_parts: int,
) -> None:
    columns = (
        np.array([row[0] for row in documents], dtype=np.uint64),
        np.array([row[1] for row in documents], dtype=np.int64),
        np.array([row[2] for row in documents]),
    )

    def parts() -> Iterator[Columns]:
        for positions in np.array_split(np.arange(len(documents)), n_parts):
            yield tuple(column[positions] for column in columns)

    def fit(between: tuple[float, float] | None) -> Scale:
        return Scale.fit_parts(copies, parts, tokens=tokens, highest=HIGHEST, between=between)

    if tokens > int((copies(HIGHEST, columns) * columns[1]).sum()):
        with pytest.raises(TokensOutOfReachError):
            fit(None)
        return
    low, high = sorted(guess)
    if low == high:
        return
    scale = fit(None)
    assert fit((low, high)) == scale
    more = scale.is_high(columns[0])
    taken = np.where(more, copies(scale.high, columns), copies(scale.low, columns)) @ columns[1]
    assert taken <= tokens
