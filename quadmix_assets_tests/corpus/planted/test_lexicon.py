import pytest

from quadmix_assets.corpus.planted import DOMAINS
from quadmix_assets.corpus.planted.lexicon import (
    FORMS,
    compile_template,
    load_junk,
    load_lexicon,
    noun_entry,
    verb_entry,
    with_article,
)
from quadmix_assets.corpus.planted.prose import Cast, choose_cast, render


@pytest.mark.parametrize(
    ("word", "plural"),
    [
        ("nurse", "nurses"),
        ("glass", "glasses"),
        ("branch", "branches"),
        ("crutch", "crutches"),
        ("berry", "berries"),
        ("jersey", "jerseys"),
        ("query plan", "query plans"),
        ("loaf/loaves", "loaves"),
        ("spectrum/spectra", "spectra"),
    ],
)
def test_plurals(word: str, plural: str) -> None:
    assert noun_entry(word)[FORMS["part"].index("pl")] == plural


@pytest.mark.parametrize(
    ("word", "forms"),
    [
        ("treat", ("treat", "treats", "treated", "treated", "treating")),
        ("bake", ("bake", "bakes", "baked", "baked", "baking")),
        ("fry", ("fry", "fries", "fried", "fried", "frying")),
        ("replay", ("replay", "replays", "replayed", "replayed", "replaying")),
        ("miss", ("miss", "misses", "missed", "missed", "missing")),
        (
            "pack for",
            ("pack for", "packs for", "packed for", "packed for", "packing for"),
        ),
        ("stir/stirred/stirring", ("stir", "stirs", "stirred", "stirred", "stirring")),
        (
            "rewrite/rewrote/rewritten/rewriting",
            ("rewrite", "rewrites", "rewrote", "rewritten", "rewriting"),
        ),
    ],
)
def test_verb_forms(word: str, forms: tuple[str, ...]) -> None:
    assert verb_entry(word) == forms


@pytest.mark.parametrize(
    "phrase",
    [
        "a nurse",
        "an orbit",
        "an hour",
        "a unit test",
        "a unanimous vote",
        "an unlawful clause",
        "a usual dose",
        "a European court",
        "an eight",
        "an x-ray",
        "a one-way ticket",
        "an honest broker",
    ],
)
def test_articles(phrase: str) -> None:
    assert with_article(phrase.partition(" ")[2]) == phrase


@pytest.mark.parametrize("text", ["the {noun} is", "a {adj:ing} thing", "{part:plural}"])
def test_unknown_slots_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="correct the lexicon file"):
        compile_template(text)


def test_one_slot_used_twice_is_one_word_in_two_forms() -> None:
    template = compile_template("{part:a} is 100% like other {part:pl}, not like {part2:pl}")
    cast: Cast = {"part": [noun_entry("orbit"), noun_entry("crater")]}
    uniform = iter([0.0, 0.0]).__next__
    assert render(uniform, template, cast) == "an orbit is 100% like other orbits, not like craters"


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_template_of_a_domain_renders(domain: str) -> None:
    lexicon, junk = load_lexicon(domain), load_junk()
    cast = choose_cast(lambda: 0.4, lexicon)
    for template in lexicon.openers + lexicon.body + lexicon.closers + junk.filler:
        text = render(lambda: 0.7, template, cast)
        assert len(text.split()) <= 45
        assert not set("{}%") & set(text)
        assert "  " not in text


@pytest.mark.parametrize("domain", DOMAINS)
def test_lexicon_is_large_and_mostly_its_own(domain: str) -> None:
    def content_words(name: str) -> set[str]:
        lexicon = load_lexicon(name)
        phrases = [entry[0] for _, parts in lexicon.topics for entry in parts]
        for word_class in ("person", "place", "action", "effect", "adj", "measure"):
            phrases += [entry[0] for entry in lexicon.words[word_class]]
        return {word for phrase in phrases for word in phrase.split()}

    own = content_words(domain)
    others = set().union(*(content_words(other) for other in DOMAINS if other != domain))
    assert len(own) >= 150
    assert len(own - others) / len(own) > 0.6
    n_shared_templates = len(
        set.intersection(*({t.pattern for t in load_lexicon(name).body} for name in DOMAINS))
    )
    assert len(load_lexicon(domain).body) - n_shared_templates >= 15
