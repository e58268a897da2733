from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from quadmix_assets.corpus.planted.damage import (
    MAX_AMOUNT,
    Damage,
    boilerplate_line,
    damage_sentence,
    draw_damage,
    spam_line,
)
from quadmix_assets.corpus.planted.lexicon import load_junk, load_lexicon
from quadmix_assets.corpus.planted.prose import choose_cast

TEXT = "Because the sun is distant, the astronomer patiently measures a faint orbit every night."
NONE = Damage(*(0.0 for _ in Damage._fields))


def only(kind: str) -> Damage:
    return NONE._replace(**{kind: 1.0})


@given(st.floats(0, 1), st.integers(0, 10_000))
def test_amounts_lie_in_range_and_vanish_at_full_quality(quality: float, seed: int) -> None:
    damage = draw_damage(Random(seed).random, quality)
    assert all(0.0 <= amount <= MAX_AMOUNT for amount in damage)
    assert sum(draw_damage(Random(seed).random, 1.0)) == 0.0


@given(st.floats(0.5, 1), st.floats(0.5, 1), st.integers(0, 1000))
def test_less_quality_means_more_of_every_kind_for_the_same_draw(
    one: float, other: float, seed: int
) -> None:
    low, high = sorted((one, other))
    pairs = zip(
        draw_damage(Random(seed).random, low), draw_damage(Random(seed).random, high), strict=True
    )
    assert all(worse >= better for worse, better in pairs)


def test_total_damage_follows_quality_while_no_single_kind_does() -> None:
    qualities = [i / 1000 for i in range(1000)]
    rows = [draw_damage(Random(i).random, quality) for i, quality in enumerate(qualities)]
    assert spearmanr(qualities, [sum(row) for row in rows])[0] < -0.97
    for amounts in zip(*rows, strict=True):
        assert -0.75 < spearmanr(qualities, amounts)[0] < -0.35


@given(st.integers(0, 1000))
def test_an_undamaged_document_keeps_its_sentences(seed: int) -> None:
    assert damage_sentence(Random(seed).random, TEXT, NONE, load_junk()) == TEXT


@given(st.integers(0, 1000))
def test_each_kind_does_to_a_sentence_what_its_name_says(seed: int) -> None:
    def damaged(kind: str) -> str:
        return damage_sentence(Random(seed).random, TEXT, only(kind), load_junk())

    assert sorted(damaged("word_order").split()) == sorted(TEXT.split())
    assert len(damaged("spelling").split()) == len(TEXT.split())
    assert len(damaged("truncation").split()) < len(TEXT.split())
    assert damaged("shouting").isupper()
    assert damaged("punctuation") != TEXT
    letters = [c for c in damaged("punctuation").lower() if c.isalpha()]
    assert letters == [c for c in TEXT.lower() if c.isalpha()]


@pytest.mark.parametrize("kind", ["word_order", "spelling"])
def test_scrambling_changes_most_sentences(kind: str) -> None:
    junk = load_junk()
    texts = [damage_sentence(Random(seed).random, TEXT, only(kind), junk) for seed in range(100)]
    assert sum(text != TEXT for text in texts) > 90


def test_junk_lines_are_single_varied_lines_without_sentences() -> None:
    uniform, junk = Random(5).random, load_junk()
    cast = choose_cast(uniform, load_lexicon("travel"))
    for make in (boilerplate_line, spam_line):
        lines = [make(uniform, cast, junk) for _ in range(200)]
        assert all(line and "\n" not in line and len(line.split()) <= 80 for line in lines)
        assert len(set(lines)) > 80
