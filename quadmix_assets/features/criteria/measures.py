"""Measures documents for the quality rules of Gopher and C4, many documents at once.

Gopher: Rae et al. 2021, arXiv:2112.11446, Table A1 and section A.1.1. C4: Raffel et al. 2020,
arXiv:1910.10683, section 2.2. Words are separated by whitespace and lower-cased, lines are stripped
of whitespace and empty ones do not count, paragraphs are separated by an empty line. All sums are
over integers, so that no measure depends on the order of summation.
"""

import numpy as np
import polars as pl

from quadmix_assets.corpus.characters import (
    ALPHABETIC,
    ALPHANUMERIC,
    FIRST_BYTE,
    Characters,
    runs,
)
from quadmix_assets.corpus.words import (
    BLANK_SEPARATED,
    WordTable,
    extend_by,
    text_chunks,
    words_of,
)

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
TOP_NGRAMS = (2, 3, 4)
REPEATED_NGRAM = 5

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
    lowered = texts.str.to_lowercase()
    table = words_of(Characters.of(lowered), BLANK_SEPARATED)
    lengths = _lengths(table)
    n_characters = table.sums(lengths)
    lines = _line_sums(texts)
    paragraphs = _duplicates(texts, "\n\n")
    code = lowered.str.count_matches(_PAGE_CODE)
    # No symbol goes across a blank, so that those of a document are those of its words.
    symbols = lowered.str.count_matches(_SYMBOLS)
    columns = {
        "n_words": table.n_words,
        "mean_word_length": _share(n_characters, table.n_words),
        "non_alphabetic_words": _share(_n_without_letter(table), table.n_words),
        "symbols_per_word": _share(symbols, table.n_words),
        "n_stop_words": _n_stop_words(table),
        **_ngram_measures(table, lengths, n_characters),
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


def _lengths(table: WordTable) -> np.ndarray:
    """(W,) int64: the characters of each word."""
    before = table.characters.counts_before(FIRST_BYTE)
    lengths: np.ndarray = before[table.ends] - before[table.starts]
    return lengths


def _n_without_letter(table: WordTable) -> np.ndarray:
    before = table.characters.counts_before(ALPHABETIC)
    return table.sums((before[table.ends] == before[table.starts]).astype(np.int64))


def _n_stop_words(table: WordTable) -> np.ndarray:
    """(D,) int64: how many of STOP_WORDS are a word of the document, but for marks around it."""
    characters = table.characters
    starts, ends = runs(characters.flags & np.uint8(ALPHANUMERIC), characters.bounds)
    short = np.flatnonzero(ends - starts <= max(map(len, STOP_WORDS)))
    kept_bits = (8 * (ends - starts)[short]).astype(np.uint64)
    keys = characters.eight_bytes[starts[short]] & ((np.uint64(1) << kept_bits) - np.uint64(1))
    found = np.zeros((len(table.n_words), len(STOP_WORDS)), bool)
    for k, stop_word in enumerate(STOP_WORDS):
        runs_of_it = short[keys == np.uint64(int.from_bytes(stop_word.encode(), "little"))]
        words = np.searchsorted(table.starts, starts[runs_of_it], side="right") - 1
        # Letters elsewhere in the word make it another one.
        alone = (runs_of_it == 0) | (ends[runs_of_it - 1] <= table.starts[words])
        following = np.minimum(runs_of_it + 1, len(starts) - 1)
        alone &= (following == runs_of_it) | (starts[following] >= table.ends[words])
        found[table.documents[words[alone]], k] = True
    return found.sum(axis=1)


def _ngram_measures(
    table: WordTable, lengths: np.ndarray, n_characters: np.ndarray
) -> dict[str, np.ndarray]:
    words, documents = table.word_hashes, table.documents
    measures = {}
    # Of the n-grams that may occur more than once in their document: where they begin, their keys
    # and their lengths. Only where two such begin side by side may one that is a word longer.
    places, keys, spans = np.arange(len(words)), words, lengths
    for n in range(2, REPEATED_NGRAM + 1):
        may_repeat = np.zeros(len(words) + 1, bool)
        may_repeat[places] = True
        going_on = np.flatnonzero(may_repeat[places + 1])
        last = places[going_on] + n - 1
        inside = documents[places[going_on]] == documents[last]
        going_on, last = going_on[inside], last[inside]
        places = places[going_on]
        keys = extend_by(keys[going_on], words[last])
        spans = spans[going_on] + lengths[last]
        packed = _packed(documents[places], keys, spans)
        candidates = _candidates(packed)
        places, keys, spans = places[candidates], keys[candidates], spans[candidates]
        first, counts = _repeated(packed[candidates])
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


def _packed(documents: np.ndarray, keys: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """(N,) uint64: document, hash and length in characters of N n-grams."""
    packed: np.ndarray = documents.astype(np.uint64) << np.uint64(64 - _DOCUMENT_BITS)
    packed |= (keys >> np.uint64(_DOCUMENT_BITS + _LENGTH_BITS)) << np.uint64(_LENGTH_BITS)
    packed |= np.minimum(spans, _LENGTH_MASK).astype(np.uint64)
    return packed


def _candidates(packed: np.ndarray) -> np.ndarray:
    """Indices of all n-grams that occur more than once, and of some others.

    Most n-grams occur once. A small hash table drops most of those before the sort: where not the
    last of them was kept, there are several.
    """
    slots = (packed >> np.uint64(_LENGTH_BITS)).astype(np.int64)
    slots = (slots ^ (slots >> 31)) & (_SLOTS - 1)
    numbers = np.arange(len(slots), dtype=np.int32)
    kept = np.empty(_SLOTS, np.int32)
    kept[slots] = numbers
    several = np.zeros(_SLOTS, bool)
    several[slots[kept[slots] != numbers]] = True
    return np.flatnonzero(several[slots])


def _repeated(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of packed n-grams, those that occur more than once, and how often."""
    ordered = np.sort(packed)
    if not len(ordered):
        return ordered, np.zeros(0, dtype=np.int64)
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counts = np.diff(np.append(starts, len(ordered)))
    return ordered[starts[counts > 1]], counts[counts > 1]


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
        n_words=line.str.count_matches(BLANK_SEPARATED.pattern).cast(pl.Int64)
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
