"""Near-duplicates share a run of 13 words, directly or through others."""

import numpy as np
import polars as pl

from quadmix_assets.corpus.near_duplicates import near_duplicates
from quadmix_assets.corpus.planted.corpus import documents
from quadmix_assets.corpus.planted.documents import target_document

RNG = np.random.default_rng(0)
WORDS = [f"w{n}" for n in range(5_000)]


def words(n: int) -> str:
    return " ".join(RNG.choice(WORDS, n))


def groups_of(*texts: str) -> list[int]:
    return near_duplicates(pl.Series(texts)).tolist()


def test_a_run_of_thirteen_words_joins_and_one_of_twelve_does_not() -> None:
    thirteen, twelve = words(13), words(12)
    found = groups_of(
        f"{words(9)} {thirteen}",
        f"{thirteen.upper().replace(' ', ', ')}! {words(4)}",
        f"{words(9)} {twelve} {words(1)}",
        f"{words(3)} {twelve} {words(5)}",
    )
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_texts_are_joined_through_others() -> None:
    first, second = words(20), words(20)
    found = groups_of(f"{first} {words(20)}", f"{first} {second}", f"{words(9)} {second}")
    assert len(set(found)) == 1


def test_short_texts_are_compared_as_a_whole() -> None:
    found = groups_of("Who is it?", "who is it", "Who is it not?", "!!!", "!!!", "?", "")
    assert found[0] == found[1] and found[3] == found[4]
    assert len(set(found)) == 5


def test_a_phrase_before_every_text_joins_nothing() -> None:
    phrase, same = words(30), words(40)
    texts = [f"{phrase} {words(40)}" for _ in range(100)] + [f"{phrase} {same}"] * 2
    assert len(set(groups_of(*texts))) == 101


def test_stock_sentences_do_not_join_the_whole_set() -> None:
    """Texts that are composed of the same sentences: any two are linked by a chain of others."""
    sentences = [words(15) for _ in range(300)]
    texts = [" ".join(RNG.choice(sentences, 12, replace=False)) for _ in range(300)]
    versions = [f"{text} {words(30)}" for text in texts[:40]]
    found = groups_of(*texts, *versions)
    assert all(found[n] == found[300 + n] for n in range(40))
    assert np.bincount(found).max() < 60
    planted = [document.text for document in documents(target_document, 0, 1_200, seed=0)]
    assert np.bincount(near_duplicates(pl.Series(planted))).max() < 20


def test_no_text_at_all() -> None:
    assert near_duplicates(pl.Series([], dtype=pl.String)).tolist() == []
