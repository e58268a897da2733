"""Clean prose: a document's cast of words, and sentences rendered from it.

A document is coherent because it speaks about one topic with a small cast: the parts of that topic
and a few persons, places, verbs and adjectives of the domain, which recur between sentences. It is
varied because templates are dealt from a shuffled deck: none comes twice before all have come once.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from quadmix_assets.corpus.planted.lexicon import Entry, Lexicon, Template

Uniform = Callable[[], float]
"""Draws the next number of a document's random stream, uniform in [0, 1)."""
Cast = dict[str, Sequence[Entry]]
"""The words of each class that a document may use."""
T = TypeVar("T")

CAST_SIZES = {
    "person": 3,
    "place": 2,
    "action": 6,
    "effect": 6,
    "adj": 9,
    "measure": 3,
    "setting": 5,
    "fact": 6,
    "adverb": 7,
    "time": 6,
    "number": 6,
}
N_STRAY_PARTS = 2
"""Parts of a neighbouring topic that a document mentions in passing."""


def pick(uniform: Uniform, items: Sequence[T]) -> T:
    """One of `items`."""
    return items[int(uniform() * len(items))]


def draw(uniform: Uniform, items: Sequence[T], n: int) -> list[T]:
    """`n` of `items` (all of them if there are fewer) without replacement, in random order."""
    pool = list(items)
    n = min(n, len(pool))
    for i in range(n):
        j = i + int(uniform() * (len(pool) - i))
        pool[i], pool[j] = pool[j], pool[i]
    return pool[:n]


def choose_cast(uniform: Uniform, lexicon: Lexicon, *, breadth: float = 1.0) -> Cast:
    """A topic and the words to speak about it; `breadth` in (0, 1] scales how many words.

    The first three or more parts are the topic's own, the last `N_STRAY_PARTS` or fewer are not.
    """
    (topic, parts), (_, strays) = draw(uniform, lexicon.topics, 2)
    cast: Cast = {
        name: draw(uniform, lexicon.words[name], max(2, round(size * breadth)))
        for name, size in CAST_SIZES.items()
    }
    cast["topic"] = (topic,)
    cast["part"] = draw(uniform, parts, max(3, round(len(parts) * breadth))) + draw(
        uniform, strays, round(N_STRAY_PARTS * breadth)
    )
    cast["count"], cast["year"] = lexicon.words["count"], lexicon.words["year"]
    return cast


def focus_on(uniform: Uniform, cast: Cast) -> Cast:
    """`cast` for one paragraph: one part is mentioned about three times as often as the others."""
    focus = pick(uniform, cast["part"])
    return {**cast, "part": [*cast["part"], focus, focus]}


def render(uniform: Uniform, template: Template, cast: Cast) -> str:
    """Fill `template` from `cast`; no entry is chosen for two slots of a sentence."""
    chosen: list[Entry] = []
    for name in template.classes:
        pool = cast[name]
        i = int(uniform() * len(pool))
        entry = pool[i]
        while entry in chosen:
            i = (i + 1) % len(pool)
            entry = pool[i]
        chosen.append(entry)
    return template.pattern % tuple([chosen[i][form] for i, form in template.gaps])


def sentence(text: str) -> str:
    """`text` with a capital at its start and a full stop at its end."""
    closed = text if text[-1] in ".?!" else f"{text}."
    return closed[0].upper() + closed[1:]


class Deck:
    """Deals templates in random order, each once before any comes again."""

    def __init__(self, uniform: Uniform, templates: Sequence[Template]) -> None:
        """A deck of `templates` whose order `uniform` decides as they are dealt."""
        self._uniform = uniform
        self._templates = templates
        self._left: list[Template] = []

    def deal(self) -> Template:
        """The next template."""
        if not self._left:
            self._left = list(self._templates)
        i = int(self._uniform() * len(self._left))
        self._left[i], self._left[-1] = self._left[-1], self._left[i]
        return self._left.pop()
