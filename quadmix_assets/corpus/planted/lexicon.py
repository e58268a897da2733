"""The words and sentence templates of a domain, inflected and compiled for fast rendering.

A lexicon file lists words by class (`part`, `person`, `action`, ...) in their base form. Here each
word becomes an `Entry`, the tuple of its inflected forms, and each template becomes a `Template`, a
format string with the (word, form) pair that fills each of its gaps. Template slots read
`{class}`, `{class:form}` and, for a second word of the same class, `{class2:form}`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any

import yaml

Entry = tuple[str, ...]
"""The forms of one word, in the order that `FORMS` gives for its class."""

NOUN_FORMS = ("", "a", "pl")
VERB_FORMS = ("", "s", "ed", "en", "ing")
FORMS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("part", "person", "place", "adj", "number"), NOUN_FORMS),
    **dict.fromkeys(("action", "effect"), VERB_FORMS),
    **dict.fromkeys(("topic", "measure", "setting", "fact", "adverb", "time"), ("",)),
    **dict.fromkeys(("count", "year"), ("",)),
}

_TAKES_AN = re.compile(
    r"(?!uni(?:t|on|f|q|v)|unan|us[aeu]|uti|eu|one\b)[aeiou]|hour|honest|heir|x-ray"
)
_SLOT = re.compile(r"([a-z]+?)(\d?)")


@dataclass(frozen=True)
class Template:
    """One compiled sentence: `pattern % words`, each word given by (chosen entry, form)."""

    pattern: str
    classes: tuple[str, ...]
    """Word class of each entry to choose; one entry may fill several gaps."""
    gaps: tuple[tuple[int, int], ...]
    """Per gap: index into `classes`, index into the entry's forms."""


@dataclass(frozen=True)
class Lexicon:
    """The words and sentence templates of one domain."""

    domain: str
    topics: tuple[tuple[Entry, tuple[Entry, ...]], ...]
    """(topic, the parts that belong to it)"""
    words: Mapping[str, tuple[Entry, ...]]
    openers: tuple[Template, ...]
    body: tuple[Template, ...]
    closers: tuple[Template, ...]
    connectives: tuple[str, ...]


@dataclass(frozen=True)
class Junk:
    """The words and templates of low-quality text, the same for all domains."""

    boilerplate: tuple[Template, ...]
    filler: tuple[Template, ...]
    menu_words: tuple[str, ...]
    menu_joins: tuple[str, ...]
    spam_words: tuple[str, ...]
    shouts: tuple[str, ...]


def with_article(phrase: str) -> str:
    """`phrase` after "a" or "an"."""
    return f"{'an' if _TAKES_AN.match(phrase) else 'a'} {phrase}"


def noun_entry(word: str) -> Entry:
    """Forms of a noun or adjective, from "singular" or "singular/plural"."""
    singular, _, plural = word.partition("/")
    return singular, with_article(singular), plural or _with_s(singular)


def verb_entry(word: str) -> Entry:
    """Forms of a verb, from "base", "base/past/ing" or "base/past/participle/ing".

    Only the first word of a phrase such as "train for" is inflected.
    """
    base, *irregular = word.split("/")
    verb, space, rest = base.partition(" ")
    if not irregular:
        stem = verb.removesuffix("e")
        past = f"{verb[:-1]}ied" if re.search(r"[^aeiou]y$", verb) else f"{stem}ed"
        irregular = [past + space + rest, f"{stem}ing" + space + rest]
    return base, _with_s(verb) + space + rest, irregular[0], irregular[-2], irregular[-1]


def _with_s(word: str) -> str:
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}es" if re.search(r"(s|x|z|ch|sh)$", word) else f"{word}s"


def compile_template(text: str) -> Template:
    """Compile a sentence with slots.

    Raises:
        ValueError: the class or form of a slot is not in `FORMS`.
    """
    pattern: list[str] = []
    names: list[str] = []
    gaps: list[tuple[int, int]] = []
    for literal, name, form, _ in Formatter().parse(text):
        pattern.append(literal.replace("%", "%%"))
        if name is None:
            continue
        slot = _SLOT.fullmatch(name)
        if slot is None or (form or "") not in FORMS.get(slot[1], ()):
            raise ValueError(
                f"template {text!r}: slot {{{name}:{form}}} is not one of the word classes "
                f"{sorted(FORMS)} with a form of that class; correct the lexicon file"
            )
        if name not in names:
            names.append(name)
        pattern.append("%s")
        gaps.append((names.index(name), FORMS[slot[1]].index(form or "")))
    return Template("".join(pattern), tuple(n.rstrip("0123456789") for n in names), tuple(gaps))


def _split(words: str, separator: str = ",") -> list[str]:
    return [word.strip() for word in words.split(separator)]


def _plain(words: Iterable[str]) -> tuple[Entry, ...]:
    return tuple((word,) for word in words)


def _read(name: str) -> dict[str, Any]:
    text = (files(__package__) / "lexicons" / f"{name}.yaml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    return content


@cache
def load_lexicon(domain: str) -> Lexicon:
    """The lexicon of `domain` joined with the words and templates that all domains share."""
    own, shared = _read(domain), _read("shared")
    words: dict[str, tuple[Entry, ...]] = {
        **{name: tuple(map(noun_entry, _split(own[f"{name}s"]))) for name in ("person", "place")},
        **{name: tuple(map(verb_entry, _split(own[f"{name}s"]))) for name in ("action", "effect")},
        "adj": tuple(map(noun_entry, _split(own["adjectives"]))),
        "number": tuple(map(noun_entry, _split(shared["numbers"]))),
        "count": _plain(str(count) for count in range(1, 32)),
        "year": _plain(str(year) for year in range(2004, 2024)),
        "measure": _plain(_split(own["measures"])),
        "setting": _plain(_split(own["settings"])),
        "fact": _plain(own["facts"]),
        "adverb": _plain(_split(shared["adverbs"])),
        "time": _plain(_split(shared["times"])),
    }
    return Lexicon(
        domain=domain,
        topics=tuple(
            ((topic,), tuple(map(noun_entry, _split(parts))))
            for topic, parts in own["topics"].items()
        ),
        words=words,
        openers=tuple(map(compile_template, shared["openers"])),
        body=tuple(map(compile_template, own["templates"] + shared["body"])),
        closers=tuple(map(compile_template, shared["closers"])),
        connectives=tuple(_split(shared["connectives"], ";")),
    )


@cache
def load_junk() -> Junk:
    """The junk that all domains share."""
    junk = _read("junk")
    return Junk(
        boilerplate=tuple(map(compile_template, junk["boilerplate"])),
        filler=tuple(map(compile_template, junk["filler"])),
        menu_words=tuple(_split(junk["menu_words"])),
        menu_joins=tuple(junk["menu_joins"]),
        spam_words=tuple(_split(junk["spam_words"])),
        shouts=tuple(junk["shouts"]),
    )
