"""Hashes of pieces of texts against the xxhash library."""

import numpy as np
import polars as pl
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from quadmix_assets.corpus.characters import Characters
from quadmix_assets.corpus.span_hashes import span_hashes


@given(
    text=st.text(min_size=1, max_size=60),
    places=st.lists(st.tuples(st.integers(0, 500), st.integers(1, 40)), max_size=20),
)
@settings(deadline=None)  # The first call compiles expressions.
def test_hashes_are_those_of_the_library(text: str, places: list[tuple[int, int]]) -> None:
    content = text.encode()
    starts = np.array([start % len(content) for start, _ in places], np.int64)
    lengths = np.array([length for _, length in places], np.int64)
    ends = np.minimum(starts + lengths, len(content))
    found = span_hashes(Characters.of(pl.Series([text])), starts, ends)
    expected = [
        xxhash.xxh3_64_intdigest(content[start:end])
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
    assert found.tolist() == expected


def test_of_every_length() -> None:
    rng = np.random.default_rng(0)
    for length in range(1, 40):
        texts = ["".join(map(chr, rng.integers(1, 128, length))) for _ in range(200)]
        characters = Characters.of(pl.Series(texts))
        found = span_hashes(characters, characters.bounds[:-1], characters.bounds[1:])
        assert found.tolist() == [xxhash.xxh3_64_intdigest(text.encode()) for text in texts]
