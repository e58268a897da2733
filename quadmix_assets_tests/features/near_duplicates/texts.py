"""Texts with known near-duplicates, and their similarity by sets of words: the plain way."""

import re

import numpy as np
import polars as pl

WORDS = [f"w{n}" for n in range(3_000)]


def random_text(rng: np.random.Generator, n_words: int) -> str:
    return " ".join(rng.choice(WORDS, n_words))


def with_changed_words(rng: np.random.Generator, text: str, n_changed: int) -> str:
    words = text.split()
    for place in rng.choice(len(words), n_changed, replace=False):
        words[place] = str(rng.choice(WORDS))
    return " ".join(words)


def runs_of(text: str, n_words: int) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    if len(words) < n_words:
        return {(text.lower(),)}
    return {tuple(words[at : at + n_words]) for at in range(len(words) - n_words + 1)}


def jaccard(some: set[tuple[str, ...]], others: set[tuple[str, ...]]) -> float:
    return len(some & others) / len(some | others)


def some_pool(n_alone: int = 120, n_families: int = 30) -> pl.Series:
    """Texts of 3 to 300 words: some alone, and families of one text with more and more changes."""
    rng = np.random.default_rng(7)
    texts = [random_text(rng, int(n)) for n in rng.integers(3, 300, n_alone)]
    for _ in range(n_families):
        first = random_text(rng, int(rng.integers(40, 300)))
        n_words = len(first.split())
        texts += [first, first.upper().replace(" ", ", ")]
        texts += [
            with_changed_words(rng, first, max(1, n_words * share // 1_000))
            for share in (4, 60, 200)
        ]
    return pl.Series(texts)
