"""Measures documents for the quality rules of Gopher and C4, many documents at once.

Gopher: Rae et al. 2021, arXiv:2112.11446, Table A1 and section A.1.1. C4: Raffel et al. 2020,
arXiv:1910.10683, section 2.2. Words are separated by whitespace and lower-cased, lines are stripped
of whitespace and empty ones do not count, paragraphs are separated by an empty line. All sums are
over integers, so that no measure depends on the order of summation.
"""

import numpy as np
import polars as pl

from quadmix_assets.corpus.words import (
    BLANK_SEPARATED,
    WordTable,
    extend_ngrams,
    text_chunks,
    word_table,
)

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
TOP_NGRAMS = (2, 3, 4)
REPEATED_NGRAM = 5

_MARKS = r"^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$"
_SYMBOLS = r"#|\.\.\.|…"
_BULLET = r"^[-*•‣⁃◦●○▪·–]"
_ELLIPSIS = r"(?:\.\.\.|…)$"
_TERMINAL = r"[.!?。！？][\"'”’»)\]]*$|[\"”]$"
_SENTENCE_END = r"[.!?][\"'”’»)\]]*(?:\s|$)|[。！？]"
_PAGE_CODE = r"[{}]|javascript|lorem ipsum"
MIN_LINE_WORDS = 5

# An n-gram's key is its document within the chunk (16 bits), its hash (36) and its length in
# characters (12): one sort of plain integers groups by document and n-gram. Among the n-grams of a
# document of a million words about seven pairs collide in 36 bits: too few to change a share.
_LENGTH_BITS, _DOCUMENT_BITS = 12, 16
_LENGTH_MASK = (1 << _LENGTH_BITS) - 1
_SLOTS = 1 << 20


def measure(texts: pl.Series) -> pl.DataFrame:
    """One row per document, one Float64 column per measure; 0 where there is nothing to measure.

    Returns:
        n_words, mean_word_length (characters), non_alphabetic_words (share of words without a
        letter), symbols_per_word (# and ellipses), n_stop_words (how many of STOP_WORDS occur),
        top_2gram, top_3gram, top_4gram (largest share of the characters of words that one repeated
        n-gram covers), repeated_5grams (share of 5-grams that occur earlier in the document),
        bullet_lines, ellipsis_lines, duplicate_lines (shares of lines), duplicate_line_characters,
        duplicate_paragraph_characters (shares of characters), unfinished_words (share of words in
        lines that end without terminal punctuation), short_line_words (share of words in lines of
        fewer than five words), n_sentences, page_code_per_word (braces, "javascript" and
        "lorem ipsum").
    """
    # The measures of no texts: their frame has the columns even if there are no chunks.
    return pl.concat([_measure(texts.clear()), *map(_measure, text_chunks(texts))])


def _measure(texts: pl.Series) -> pl.DataFrame:
    table = word_table(texts, BLANK_SEPARATED)
    lines = _line_sums(texts)
    paragraphs = _duplicates(texts, "\n\n")
    code = texts.str.to_lowercase().str.count_matches(_PAGE_CODE).to_numpy()
    columns = {
        **_word_measures(table),
        **_ngram_measures(table),
        "bullet_lines": _share(lines["n_bullets"], lines["n_lines"]),
        "ellipsis_lines": _share(lines["n_ellipses"], lines["n_lines"]),
        "duplicate_lines": _share(lines["n_duplicates"], lines["n_lines"]),
        "duplicate_line_characters": _share(lines["n_duplicate_characters"], lines["n_characters"]),
        "duplicate_paragraph_characters": _share(
            paragraphs["n_duplicate_characters"], paragraphs["n_characters"]
        ),
        "unfinished_words": _share(lines["n_unfinished_words"], table.n_words),
        "short_line_words": _share(lines["n_short_line_words"], table.n_words),
        "n_sentences": texts.str.count_matches(_SENTENCE_END).to_numpy(),
        "page_code_per_word": _share(code, table.n_words),
    }
    return pl.DataFrame({name: np.asarray(x, dtype=np.float64) for name, x in columns.items()})


def _share(part: np.ndarray | pl.Series, whole: np.ndarray | pl.Series) -> np.ndarray:
    shares: np.ndarray = np.asarray(part) / np.maximum(np.asarray(whole), 1)
    return shares


def _word_measures(table: WordTable) -> dict[str, np.ndarray]:
    # Computed once per distinct word, then summed over the word codes of each document.
    words = table.vocabulary
    n_characters = table.sums(words.str.len_chars().to_numpy().astype(np.int64)[table.codes])
    without_letter = (~words.str.contains(r"\p{Alphabetic}")).to_numpy().astype(np.int64)
    symbols = words.str.count_matches(_SYMBOLS).to_numpy().astype(np.int64)
    bare = words.str.replace_all(_MARKS, "")
    n_stop_words = np.zeros(len(table.n_words), dtype=np.int64)
    for stop_word in STOP_WORDS:
        n_stop_words += table.sums((bare == stop_word).to_numpy().astype(np.int64)[table.codes]) > 0
    return {
        "n_words": table.n_words,
        "mean_word_length": _share(n_characters, table.n_words),
        "non_alphabetic_words": _share(table.sums(without_letter[table.codes]), table.n_words),
        "symbols_per_word": _share(table.sums(symbols[table.codes]), table.n_words),
        "n_stop_words": n_stop_words,
    }


def _ngram_measures(table: WordTable) -> dict[str, np.ndarray]:
    words = table.word_hashes
    lengths = table.vocabulary.str.len_chars().to_numpy().astype(np.int64)[table.codes]
    n_characters = table.sums(lengths)
    measures = {}
    keys, spans = words, lengths
    for n in range(2, REPEATED_NGRAM + 1):
        keys = extend_ngrams(keys, words)
        spans = spans[:-1] + lengths[n - 1 :]
        inside = table.inside(n)
        documents = table.documents[: len(inside)][inside]
        first, counts = _repeated_ngrams(documents, keys[inside], spans[inside])
        owners = (first >> np.uint64(64 - _DOCUMENT_BITS)).astype(np.int64)
        if n in TOP_NGRAMS:
            covered = counts * (first & np.uint64(_LENGTH_MASK)).astype(np.int64)
            top = np.zeros(len(table.n_words), dtype=np.int64)
            np.maximum.at(top, owners, covered)
            measures[f"top_{n}gram"] = np.minimum(_share(top, n_characters), 1.0)
        if n == REPEATED_NGRAM:
            n_repeats = np.bincount(owners, weights=counts - 1, minlength=len(table.n_words))
            measures[f"repeated_{n}grams"] = _share(n_repeats, table.n_words - n + 1)
    return measures


def _repeated_ngrams(
    documents: np.ndarray, keys: np.ndarray, spans: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Packed keys of the n-grams that occur more than once in their document, and how often."""
    packed = documents.astype(np.uint64) << np.uint64(64 - _DOCUMENT_BITS)
    packed |= (keys >> np.uint64(_DOCUMENT_BITS + _LENGTH_BITS)) << np.uint64(_LENGTH_BITS)
    packed |= np.minimum(spans, _LENGTH_MASK).astype(np.uint64)
    # Most n-grams occur once. Counting in a small hash table drops most of those before the sort.
    slots = (packed >> np.uint64(_LENGTH_BITS)).astype(np.int64)
    slots = (slots ^ (slots >> 31)) & (_SLOTS - 1)
    candidates = np.sort(packed[np.bincount(slots, minlength=_SLOTS)[slots] > 1])
    if not len(candidates):
        return candidates, np.zeros(0, dtype=np.int64)
    starts = np.flatnonzero(np.concatenate([[True], candidates[1:] != candidates[:-1]]))
    counts = np.diff(np.append(starts, len(candidates)))
    return candidates[starts[counts > 1]], counts[counts > 1]


def _pieces(texts: pl.Series, separator: str) -> pl.LazyFrame:
    """One row per stripped, non-empty piece of a text: document, piece, n_characters, is_repeat.

    `is_repeat` is true where an earlier piece of the document is the same.
    """
    return (
        pl.LazyFrame({"document": np.arange(len(texts)), "piece": texts.str.split(separator)})
        .explode("piece")
        .with_columns(pl.col("piece").str.strip_chars())
        .filter(pl.col("piece") != "")
        .with_columns(
            n_characters=pl.col("piece").str.len_chars(),
            is_repeat=~pl.struct("document", "piece").is_first_distinct(),
        )
    )


def _per_document(pieces: pl.LazyFrame, n_documents: int, sums: dict[str, pl.Expr]) -> pl.DataFrame:
    documents = pl.LazyFrame({"document": np.arange(n_documents)})
    grouped = pieces.group_by("document").agg(**{name: sums[name].sum() for name in sums})
    return (
        documents.join(grouped, on="document", how="left", maintain_order="left")
        .with_columns(pl.exclude("document").fill_null(0).cast(pl.Int64))
        .collect()
    )


_DUPLICATE_SUMS = {
    "n_characters": pl.col("n_characters").cast(pl.Int64),
    "n_duplicate_characters": pl.col("n_characters").cast(pl.Int64) * pl.col("is_repeat"),
}


def _duplicates(texts: pl.Series, separator: str) -> pl.DataFrame:
    return _per_document(_pieces(texts, separator), len(texts), _DUPLICATE_SUMS)


def _line_sums(texts: pl.Series) -> pl.DataFrame:
    line, n_words = pl.col("piece"), pl.col("n_words")
    lines = _pieces(texts, "\n").with_columns(
        n_words=line.str.count_matches(BLANK_SEPARATED).cast(pl.Int64)
    )
    sums = {
        **_DUPLICATE_SUMS,
        "n_lines": pl.col("piece").is_not_null(),
        "n_duplicates": pl.col("is_repeat"),
        "n_bullets": line.str.contains(_BULLET),
        "n_ellipses": line.str.contains(_ELLIPSIS),
        "n_unfinished_words": n_words * ~line.str.contains(_TERMINAL),
        "n_short_line_words": n_words * (n_words < MIN_LINE_WORDS),
    }
    return _per_document(lines, len(texts), sums)
