"""Word tables against Python's re and Counter."""

import re
from collections import Counter

import numpy as np
import polars as pl
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from quadmix_assets.corpus import words
from quadmix_assets.corpus.words import (
    BLANK_SEPARATED,
    WORDS,
    WORDS_AND_MARKS,
    Cut,
    extend_ngrams,
    text_chunks,
    word_table,
)

TEXTS = st.lists(st.text(alphabet="aB é,.!\n_7", max_size=30), max_size=8)
# Of one to four bytes; blanks, letters, digits and marks that are not ASCII; İ grows when lowered.
ANY_TEXTS = st.lists(
    st.text(max_size=30)
    | st.text(
        alphabet="aZ 7_-é\u00a0\u2028\u3000中文😀²İΣ\u0301\ud7ff\ue000\U0010ffff", max_size=60
    ),
    max_size=8,
)


@pytest.mark.parametrize("cut", [WORDS, WORDS_AND_MARKS, BLANK_SEPARATED])
@given(texts=TEXTS | ANY_TEXTS)
@settings(deadline=None)  # The first call compiles expressions.
def test_words_are_those_of_a_regular_expression(cut: Cut, texts: list[str]) -> None:
    series = pl.Series("text", texts, dtype=pl.String)
    lists = series.str.to_lowercase().str.extract_all(cut.pattern).to_list()
    flat = [word for found in lists for word in found]
    table = word_table(series, cut)
    assert table.n_words.tolist() == [len(found) for found in lists]
    content = table.characters.content.tobytes()
    spans = zip(table.starts.tolist(), table.ends.tolist(), strict=True)
    assert [content[start:end].decode() for start, end in spans] == flat
    assert table.word_hashes.tolist() == [xxhash.xxh3_64_intdigest(word.encode()) for word in flat]
    assert table.sums(np.ones(len(flat))).tolist() == table.n_words.tolist()


@pytest.mark.parametrize("cut", [WORDS, WORDS_AND_MARKS, BLANK_SEPARATED])
@given(texts=TEXTS)
@settings(deadline=None)  # The first call compiles expressions.
def test_they_are_those_of_python(cut: Cut, texts: list[str]) -> None:
    table = word_table(pl.Series("text", texts, dtype=pl.String), cut)
    flat = [word for text in texts for word in re.findall(cut.pattern, text.lower())]
    assert table.word_hashes.tolist() == [xxhash.xxh3_64_intdigest(word.encode()) for word in flat]


@given(texts=TEXTS, n=st.integers(2, 5))
@settings(deadline=None)
def test_ngrams_have_equal_hashes_exactly_where_they_are_equal(texts: list[str], n: int) -> None:
    table = word_table(pl.Series("text", texts, dtype=pl.String), WORDS_AND_MARKS)
    keys = table.word_hashes
    for _ in range(n - 1):
        keys = extend_ngrams(keys, table.word_hashes)
    found = Counter(zip(table.documents[: len(keys)].tolist(), keys.tolist(), strict=True))
    inside = table.inside(n)
    assert len(inside) == len(keys)
    counts: Counter[tuple[int, int]] = Counter()
    for row, key in zip(table.documents[: len(keys)][inside], keys[inside], strict=True):
        counts[int(row), int(key)] += 1
    expected: Counter[tuple[int, tuple[str, ...]]] = Counter()
    for row, text in enumerate(texts):
        listed = re.findall(WORDS_AND_MARKS.pattern, text.lower())
        expected.update((row, tuple(listed[i : i + n])) for i in range(len(listed) - n + 1))
    assert sorted(counts.values()) == sorted(expected.values())
    assert found.keys() >= counts.keys()


def test_order_of_words_changes_a_bigram() -> None:
    hashes = np.array([3, 5, 3], dtype=np.uint64)
    forward, backward = extend_ngrams(hashes, hashes)
    assert forward != backward


@given(lengths=st.lists(st.integers(0, 300), max_size=40))
def test_chunks_are_the_texts_in_order_and_small(lengths: list[int]) -> None:
    texts = pl.Series("text", ["x" * n for n in lengths], dtype=pl.String)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "CHUNK_BYTES", 256)
        chunks = list(text_chunks(texts))
    assert [text for chunk in chunks for text in chunk] == texts.to_list()
    for chunk in chunks:
        assert 1 <= len(chunk) <= 256 // words.MIN_DOCUMENT_BYTES + 1
        sizes = chunk.str.len_bytes().to_list()
        assert sum(sizes) - max(sizes) <= 256


def test_a_chunk_of_empty_documents_has_few_enough_for_16_bits() -> None:
    assert max(len(chunk) for chunk in text_chunks(pl.Series([""] * 100_000))) <= 2**15 + 1
