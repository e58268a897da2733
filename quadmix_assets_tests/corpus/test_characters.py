"""The bytes of texts and their flags, against Polars' regular expressions on each character."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quadmix_assets.corpus.characters import (
    ALPHABETIC,
    ALPHANUMERIC,
    FIRST_BYTE,
    NOT_BLANK,
    WORD,
    Characters,
    runs,
)

TEXTS = st.lists(st.text(max_size=20), max_size=6)


@pytest.mark.parametrize(
    ("flag", "pattern"),
    [
        (NOT_BLANK, r"\S"),
        (WORD, r"\w"),
        (ALPHABETIC, r"\p{Alphabetic}"),
        (ALPHANUMERIC, r"[\p{L}\p{N}]"),
    ],
)
def test_flags_are_those_of_regular_expressions(flag: int, pattern: str) -> None:
    # Every 7th character, and all of the first plane's beginning.
    numbers = [n for n in [*range(0x3100), *range(0x3100, 0x110000, 7)] if n >> 11 != 0x1B]
    texts = pl.Series([chr(n) for n in numbers])
    characters = Characters.of(texts)
    expected = texts.str.contains(pattern).to_numpy()
    first = characters.bounds[:-1]
    assert ((characters.flags[first] & flag != 0) == expected).all()
    # All bytes of a character have its flags.
    n_bytes = np.diff(characters.bounds)
    assert ((characters.flags & flag != 0) == np.repeat(expected, n_bytes)).all()
    assert (np.flatnonzero(characters.flags & FIRST_BYTE) == first).all()


@given(texts=TEXTS)
@settings(deadline=None)  # The first call compiles expressions.
def test_texts_lie_one_after_the_other(texts: list[str]) -> None:
    series = pl.Series(["skipped", *texts], dtype=pl.String)[1:]
    characters = Characters.of(series)
    assert characters.content.tobytes() == "".join(texts).encode()
    ends = np.cumsum([len(text.encode()) for text in texts], dtype=int)
    assert characters.bounds.tolist() == [0, *ends.tolist()]
    before = characters.counts_before(FIRST_BYTE)
    assert before[characters.bounds].tolist() == [
        len("".join(texts[:k])) for k in range(len(texts) + 1)
    ]
    content = characters.content.tobytes() + bytes(8)
    assert characters.eight_bytes.tolist() == [
        int.from_bytes(content[k : k + 8], "little") for k in range(len(content) - 8)
    ]


@given(
    classes=st.lists(st.integers(0, 2), max_size=30),
    cuts=st.lists(st.integers(0, 30), max_size=4),
)
def test_runs_end_where_the_class_changes_or_a_document_ends(
    classes: list[int], cuts: list[int]
) -> None:
    bounds = sorted({0, len(classes), *(min(cut, len(classes)) for cut in cuts)})
    expected = []
    for k, value in enumerate(classes):
        if value and (k in bounds or classes[k - 1] != value):
            expected.append([k, k + 1])
        elif value:
            expected[-1][1] = k + 1
    starts, ends = runs(np.array(classes, np.uint8), np.array(bounds))
    assert np.column_stack([starts, ends]).tolist() == expected
