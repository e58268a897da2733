"""Damages texts of low latent quality: eleven kinds of damage, each in a graded amount.

The total damage of a document rises smoothly as its latent quality q falls; how it is divided among
the kinds is random per document. So every kind is evidence of q and none suffices: repetition and
junk lines are detected by rules on lines, misspellings and spam by word frequencies, scrambled word
order and wandering only by the order of words.
"""

from math import log
from typing import NamedTuple

from quadmix_assets.corpus.planted.lexicon import Junk
from quadmix_assets.corpus.planted.prose import Cast, Uniform, draw, pick, render


class Damage(NamedTuple):
    """Amount of each kind, in [0, MAX_AMOUNT]: roughly the share of sentences that it meets."""

    monotony: float
    """by how much the variety of words and templates is reduced"""
    wandering: float
    """sentences about another topic of the domain"""
    filler: float
    """sentences without content"""
    boilerplate: float
    """menus, cookie banners and the like between the paragraphs"""
    spam: float
    """lists of keywords"""
    repetition: float
    """lines that are repeated"""
    truncation: float
    """sentences cut off"""
    shouting: float
    """sentences in capitals"""
    punctuation: float
    """punctuation marks missing, doubled or misplaced"""
    word_order: float
    """sentences with shuffled words"""
    spelling: float
    """sentences with garbled words"""


N_KINDS = len(Damage._fields)
MEAN_AMOUNT = 0.38
"""Mean amount over the kinds at q = 0, before the cap."""
STEEPNESS = 1.4
"""Total damage is proportional to (1 - q) ** STEEPNESS."""
MAX_AMOUNT = 0.85


def draw_damage(uniform: Uniform, quality: float) -> Damage:
    """The damage of a document of latent quality `quality` in [0, 1].

    The kinds' shares of the total are uniform over the simplex (normalized exponential draws).
    """
    weights = [-log(1.0 - uniform()) for _ in range(N_KINDS)]
    total = N_KINDS * MEAN_AMOUNT * (1.0 - quality) ** STEEPNESS
    scale = total / sum(weights)
    return Damage(*(min(MAX_AMOUNT, scale * weight) for weight in weights))


def damage_sentence(uniform: Uniform, text: str, damage: Damage, junk: Junk) -> str:
    """`text` after each kind of damage to single sentences, with its amount as probability."""
    if uniform() < damage.word_order:
        text = _shuffle_words(uniform, text)
    if uniform() < damage.spelling:
        text = _garble_words(uniform, text)
    if uniform() < damage.truncation:
        text = _truncate(uniform, text)
    if uniform() < damage.punctuation:
        text = _break_punctuation(uniform, text)
    if uniform() < damage.shouting:
        text = text.rstrip(".").upper() + pick(uniform, junk.shouts)
    return text


def boilerplate_line(uniform: Uniform, cast: Cast, junk: Junk) -> str:
    """A line that belongs to the site rather than to the text."""
    if uniform() < 0.25:
        words = draw(uniform, junk.menu_words, 4 + int(uniform() * 6))
        return pick(uniform, junk.menu_joins).join(words)
    return render(uniform, pick(uniform, junk.boilerplate), cast)


def spam_line(uniform: Uniform, cast: Cast, junk: Junk) -> str:
    """A list of the document's keywords mixed with sellers' words."""
    keywords = [entry[0] for entry in draw(uniform, cast["part"], 3)] + [cast["topic"][0][0]]
    words = [
        pick(uniform, keywords if uniform() < 0.5 else junk.spam_words)
        for _ in range(8 + int(uniform() * 16))
    ]
    return (", " if uniform() < 0.4 else " ").join(words)


def _shuffle_words(uniform: Uniform, text: str) -> str:
    words = text.split(" ")
    window = min(len(words), 4 + int(uniform() * 14))
    start = int(uniform() * (len(words) - window + 1))
    words[start : start + window] = draw(uniform, words[start : start + window], window)
    return " ".join(words)


def _garble_words(uniform: Uniform, text: str) -> str:
    share = 0.15 + 0.5 * uniform()
    words = text.split(" ")
    for i, word in enumerate(words):
        if len(word) > 3 and uniform() < share:
            at = 1 + int(uniform() * (len(word) - 3))
            head, pair, tail = word[:at], word[at : at + 2], word[at + 2 :]
            words[i] = head + pick(uniform, (pair[::-1], pair[0], pair + pair[1])) + tail
    return " ".join(words)


def _truncate(uniform: Uniform, text: str) -> str:
    words = text.split(" ")
    kept = " ".join(words[: max(2, int(len(words) * (0.2 + 0.6 * uniform())))])
    return kept.rstrip(",") + pick(uniform, ("", "...", " -", ""))


def _break_punctuation(uniform: Uniform, text: str) -> str:
    choice = uniform()
    if choice < 0.4:
        return text.replace(",", "").rstrip(".?").lower()
    if choice < 0.7:
        return text.replace(",", " ,,").replace(".", " . .")
    words = text.split(" ")
    return "".join(
        word + pick(uniform, (" ", " ", " ", ", ", ".", " - ")) for word in words
    ).strip()
