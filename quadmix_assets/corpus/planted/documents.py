"""Generates documents of the planted corpus, each a pure function of (seed, stream, index)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from math import exp, log
from random import Random

from quadmix_assets.corpus.planted.damage import (
    Damage,
    boilerplate_line,
    damage_sentence,
    draw_damage,
    spam_line,
)
from quadmix_assets.corpus.planted.lexicon import Junk, Lexicon, load_junk, load_lexicon
from quadmix_assets.corpus.planted.prose import (
    Deck,
    Uniform,
    choose_cast,
    draw,
    focus_on,
    pick,
    render,
    sentence,
)

DOMAIN_SHARES: Mapping[str, float] = {
    "travel": 0.18,
    "sports": 0.16,
    "finance": 0.14,
    "cooking": 0.13,
    "software": 0.11,
    "medicine": 0.10,
    "gardening": 0.07,
    "law": 0.06,
    "astronomy": 0.05,
}
"""Expected share of each domain in the pool's documents."""
DOMAINS: tuple[str, ...] = tuple(sorted(DOMAIN_SHARES))
TARGET_BLEND: Mapping[str, float] = {"astronomy": 0.5, "medicine": 0.3, "law": 0.2}
"""Share of each of its domains in the target set's documents."""

TARGET_QUALITY = (0.95, 1.0)
MIN_WORDS, MAX_WORDS = 60, 400
GOLDEN_RATIO = (5**0.5 - 1) / 2


@dataclass(frozen=True, slots=True)
class Document:
    """A document with its ground truth, domain and quality."""

    id: str
    text: str
    domain: str
    quality: float
    """latent quality in [0, 1], larger is better; all damage to the text follows from it"""


def pool_document(index: int, *, seed: int = 0) -> Document:
    """Document `index` of the pool: domain by `DOMAIN_SHARES`, quality uniform in [0, 1]."""
    uniform = _stream(seed, "pool", index)
    domain = _at_quantile(DOMAIN_SHARES, uniform())
    return _document(f"planted-{index:06d}", domain, uniform(), uniform)


def labelled_document(index: int, *, seed: int = 0) -> Document:
    """Example `index` for the domain classifier: domains in turn, quality uniform in [0, 1]."""
    uniform = _stream(seed, "label", index)
    return _document(f"label-{index:06d}", DOMAINS[index % len(DOMAINS)], uniform(), uniform)


def target_document(index: int, *, seed: int = 0) -> Document:
    """Document `index` of the target set: quality uniform in `TARGET_QUALITY`.

    Domains follow a golden-ratio sequence, so that the first n documents match `TARGET_BLEND` up
    to a few documents, for any n.
    """
    uniform = _stream(seed, "target", index)
    domain = _at_quantile(TARGET_BLEND, (index * GOLDEN_RATIO) % 1.0)
    low, high = TARGET_QUALITY
    return _document(f"target-{index:06d}", domain, low + (high - low) * uniform(), uniform)


def documents(
    make: Callable[..., Document], start: int, stop: int, *, seed: int = 0
) -> Iterator[Document]:
    """Documents start, ..., stop - 1 of the stream that `make` draws from."""
    for index in range(start, stop):
        yield make(index, seed=seed)


def _stream(seed: int, stream: str, index: int) -> Uniform:
    # Only Random.random() is used: Python guarantees its sequence for a given seed in all versions,
    # which it does not for choice() or shuffle().
    return Random(f"{seed}/{stream}/{index}").random


def _at_quantile(shares: Mapping[str, float], quantile: float) -> str:
    for name, upper in zip(shares, accumulate(shares.values()), strict=True):
        if quantile < upper:
            return name
    return list(shares)[-1]


def _document(identifier: str, domain: str, quality: float, uniform: Uniform) -> Document:
    quality = round(quality, 6)
    lexicon, junk = load_lexicon(domain), load_junk()
    text = _write_page(uniform, lexicon, junk, draw_damage(uniform, quality))
    return Document(identifier, text, domain, quality)


class _Page:
    """Lines of a document under its word limit; sentences run on within a line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.n_words = 0
        self._run_on = False

    def add(self, text: str, *, own_line: bool) -> None:
        n_words = len(text.split())
        if self.n_words + n_words > MAX_WORDS:
            return
        self.n_words += n_words
        if self._run_on and not own_line:
            self.lines[-1] += f" {text}"
        else:
            self.lines.append(text)
        self._run_on = not own_line

    def end_paragraph(self) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append("")
        self._run_on = False

    def text(self) -> str:
        return "\n".join(self.lines).strip()


def _write_page(uniform: Uniform, lexicon: Lexicon, junk: Junk, damage: Damage) -> str:
    breadth = 1.0 - damage.monotony
    cast = choose_cast(uniform, lexicon, breadth=breadth)
    body = draw(uniform, lexicon.body, max(3, round(len(lexicon.body) * breadth)))
    deck, facts = Deck(uniform, body), list(cast["fact"])
    # Log-uniform length, with room below the limit for a last long sentence.
    n_words = exp(log(MIN_WORDS + 10) + uniform() * log(340 / (MIN_WORDS + 10)))
    page = _Page()

    def add_boilerplate() -> None:
        for _ in range(int(5 * damage.boilerplate * uniform() + uniform())):
            page.add(boilerplate_line(uniform, cast, junk), own_line=True)
        page.end_paragraph()

    def add_prose(text: str) -> None:
        text = damage_sentence(uniform, sentence(text), damage, junk)
        page.add(text, own_line=False)
        if uniform() < 0.6 * damage.repetition:
            for _ in range(1 + int(uniform() * 3)):
                page.add(text, own_line=True)

    # The first and the last sentence name the topic, so they stay with its own parts.
    core = {**cast, "part": cast["part"][:3]}
    add_boilerplate()
    add_prose(render(uniform, pick(uniform, lexicon.openers), core))
    while page.n_words < n_words:
        paragraph = focus_on(uniform, cast)
        for _ in range(2 + int(uniform() * 5)):
            if page.n_words >= n_words:
                break
            if uniform() < 0.4 * damage.spam:
                page.add(spam_line(uniform, cast, junk), own_line=True)
            if uniform() < damage.filler:
                add_prose(render(uniform, pick(uniform, junk.filler), cast))
                continue
            speaks = paragraph
            if uniform() < damage.wandering:
                speaks = choose_cast(uniform, lexicon)
            else:
                speaks["fact"] = (facts[0],)
            template = deck.deal()
            if "fact" in template.classes:
                facts.append(facts.pop(0))
            text = render(uniform, template, speaks)
            if uniform() < 0.2:
                text = f"{pick(uniform, lexicon.connectives)}, {text}"
            add_prose(text)
        page.end_paragraph()
        add_boilerplate()
    if uniform() > 2 * damage.truncation:
        add_prose(render(uniform, pick(uniform, lexicon.closers), core))
    return page.text()
