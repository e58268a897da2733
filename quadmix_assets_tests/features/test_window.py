"""Features of a window are computed once, when they are first asked for."""

from dataclasses import dataclass, field

import polars as pl

from quadmix_assets.features.window import Window


@dataclass(frozen=True)
class CountOf:
    """How often a letter occurs in each text; notes every computation."""

    letter: str
    computed: list[str] = field(compare=False)

    def of(self, documents: pl.DataFrame) -> list[int]:
        self.computed.append(self.letter)
        return [text.count(self.letter) for text in documents["text"]]


def test_equal_features_are_computed_once_and_when_asked_for() -> None:
    computed: list[str] = []
    window = Window(pl.DataFrame({"text": ["aab", "b"]}))
    assert computed == []
    assert [window.get(CountOf(letter, computed)) for letter in "abab"] == 2 * [[2, 0], [1, 1]]
    assert computed == ["a", "b"]


def test_windows_share_nothing() -> None:
    computed: list[str] = []
    first, second = (Window(pl.DataFrame({"text": texts})) for texts in (["a"], ["aa", ""]))
    assert first.get(CountOf("a", computed)) == [1]
    assert second.get(CountOf("a", computed)) == [2, 0]
    assert computed == ["a", "a"]
