"""What the rules measure, against one plain Python loop per document."""

import re
from collections import Counter

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quadmix_assets.corpus import words
from quadmix_assets.features.criteria.measures import MIN_LINE_WORDS, STOP_WORDS, measure
from quadmix_assets_tests.features.texts import AWKWARD

PIECES = [
    *["the ", "The, ", '"of" ', "and ", "cat ", "cats ", "straße ", "x1 ", "42 ", "3.5% ", "été "],
    *[". ", "! ", '." ', "... ", "… ", "# ", "##tag ", "- ", "• ", "* ", "{ ", "} ", "(a) "],
    *["\n", "\n\n", "\n\n\n", " \n", "\t", "JavaScript ", "lorem ipsum ", "end.\n", "why?\n"],
    *["to be or not to be, that is ", "one two three four five six.\n", "• point\n", "。"],
]


def _duplicates(pieces: list[str]) -> tuple[float, float]:
    """Shares of pieces, and of their characters, that stand earlier in the list."""
    seen: set[str] = set()
    again = []
    for piece in pieces:
        if piece in seen:
            again.append(piece)
        seen.add(piece)
    n_characters = sum(map(len, pieces))
    return len(again) / max(len(pieces), 1), sum(map(len, again)) / max(n_characters, 1)


def _top_ngram(found: list[str], n: int) -> float:
    counts = Counter(tuple(found[i : i + n]) for i in range(len(found) - n + 1))
    covered = [count * sum(map(len, ngram)) for ngram, count in counts.items() if count > 1]
    return min(max(covered, default=0) / max(sum(map(len, found)), 1), 1.0)


def _expected(text: str) -> dict[str, float]:
    found = text.lower().split()
    n_words = max(len(found), 1)
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    paragraphs = [piece.strip() for piece in text.split("\n\n") if piece.strip()]
    n_lines = max(len(lines), 1)
    bare = {re.sub(r"^[\W_]+|[\W_]+$", "", word) for word in found}
    unfinished = [line for line in lines if not re.search(r"[.!?。！？][\"')\]]*$|\"$", line)]
    short = [line for line in lines if len(line.split()) < MIN_LINE_WORDS]
    fives = [tuple(found[i : i + 5]) for i in range(len(found) - 4)]
    return {
        "n_words": len(found),
        "mean_word_length": sum(map(len, found)) / n_words,
        "non_alphabetic_words": sum(not any(c.isalpha() for c in w) for w in found) / n_words,
        "symbols_per_word": sum(w.count("#") + w.count("...") + w.count("…") for w in found)
        / n_words,
        "n_stop_words": sum(word in bare for word in STOP_WORDS),
        "top_2gram": _top_ngram(found, 2),
        "top_3gram": _top_ngram(found, 3),
        "top_4gram": _top_ngram(found, 4),
        "repeated_5grams": (len(fives) - len(set(fives))) / max(len(fives), 1),
        "bullet_lines": sum(line[0] in "-*•" for line in lines) / n_lines,
        "ellipsis_lines": sum(line.endswith(("...", "…")) for line in lines) / n_lines,
        "duplicate_lines": _duplicates(lines)[0],
        "duplicate_line_characters": _duplicates(lines)[1],
        "duplicate_paragraph_characters": _duplicates(paragraphs)[1],
        "unfinished_words": sum(len(line.split()) for line in unfinished) / n_words,
        "short_line_words": sum(len(line.split()) for line in short) / n_words,
        "n_sentences": len(re.findall(r"[.!?][\"')\]]*(?:\s|$)|[。！？]", text)),
        "page_code_per_word": len(re.findall(r"[{}]|javascript|lorem ipsum", text.lower()))
        / n_words,
    }


@given(
    documents=st.lists(
        st.lists(st.sampled_from(PIECES), max_size=60).map("".join), min_size=1, max_size=6
    )
)
@settings(deadline=None)  # The first call compiles expressions.
@example(documents=["", " ", "\n\n"])
@example(documents=["to be or not to be " * 30, "- a\n- a\n- b\n\n- a"])
def test_every_measure_is_that_of_a_plain_loop(documents: list[str]) -> None:
    found = measure(pl.Series("text", documents, dtype=pl.String))
    for row, text in zip(found.iter_rows(named=True), documents, strict=True):
        assert row == pytest.approx(_expected(text), abs=1e-12)


def test_chunks_do_not_change_the_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pl.Series("text", [*AWKWARD.values(), *("to be or not to be " * k for k in range(40))])
    whole = measure(texts)
    monkeypatch.setattr(words, "CHUNK_BYTES", 300)
    assert measure(texts).equals(whole)
    assert measure(texts.reverse()).equals(whole.reverse())


def test_no_documents_give_all_columns() -> None:
    found = measure(pl.Series("text", [], dtype=pl.String))
    assert found.height == 0
    assert found.columns == measure(pl.Series("text", ["a b"])).columns
