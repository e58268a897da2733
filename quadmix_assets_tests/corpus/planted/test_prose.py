from collections import Counter
from itertools import product
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.corpus.planted.lexicon import compile_template, load_lexicon, noun_entry
from quadmix_assets.corpus.planted.prose import (
    CAST_SIZES,
    Cast,
    Deck,
    choose_cast,
    draw,
    focus_on,
    render,
    sentence,
)


@given(st.lists(st.integers(), max_size=20), st.integers(0, 25), st.integers(0, 1000))
def test_draw_takes_without_replacement(items: list[int], n: int, seed: int) -> None:
    drawn = draw(Random(seed).random, items, n)
    assert len(drawn) == min(n, len(items))
    assert not Counter(drawn) - Counter(items)


def test_draw_is_uniform_over_ordered_selections() -> None:
    uniform = Random(1).random
    counts = Counter(tuple(draw(uniform, "abc", 2)) for _ in range(6000))
    assert set(counts) == {(a, b) for a, b in product("abc", repeat=2) if a != b}
    # Six outcomes of probability 1/6: five standard deviations are about 144.
    assert all(abs(count - 1000) < 150 for count in counts.values())


def test_deck_deals_every_template_once_before_any_again() -> None:
    templates = [compile_template(text) for text in ("one", "two", "three", "four")]
    deck = Deck(Random(2).random, templates)
    rounds = [[deck.deal().pattern for _ in templates] for _ in range(20)]
    assert all(sorted(dealt) == sorted(t.pattern for t in templates) for dealt in rounds)
    assert len({tuple(dealt) for dealt in rounds}) > 5


@given(st.integers(0, 10_000))
def test_a_sentence_never_uses_one_word_for_two_slots(seed: int) -> None:
    cast: Cast = {"part": [noun_entry(word) for word in ("nut", "bolt", "cog", "nut", "nut")]}
    text = render(Random(seed).random, compile_template("{part} {part2} {part3}"), cast)
    assert sorted(text.split()) == ["bolt", "cog", "nut"]


def test_cast_keeps_to_one_topic_and_shrinks_with_breadth() -> None:
    lexicon = load_lexicon("law")
    parts_of = {topic: set(parts) for topic, parts in lexicon.topics}
    for seed in range(50):
        full = choose_cast(Random(seed).random, lexicon)
        narrow = choose_cast(Random(seed).random, lexicon, breadth=0.15)
        for cast in (full, narrow):
            own = parts_of[cast["topic"][0]]
            assert set(cast["part"][:3]) <= own
            assert len(set(cast["part"])) == len(cast["part"]) >= 3
            assert sum(part in own for part in cast["part"]) >= len(cast["part"]) - 2
        assert all(len(narrow[name]) < len(full[name]) for name in CAST_SIZES if name != "place")


def test_focus_makes_one_part_recur() -> None:
    cast = choose_cast(Random(3).random, load_lexicon("cooking"))
    counts = Counter(focus_on(Random(4).random, cast)["part"])
    assert sorted(counts.values())[-2:] == [1, 3]
    assert set(counts) == set(cast["part"])


def test_sentence_closes_what_is_open() -> None:
    assert sentence("the orbit of Venus") == "The orbit of Venus."
    assert sentence("is it so?") == "Is it so?"
