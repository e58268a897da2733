"""What Markdown makes of texts, by a parser of it that is not ours."""

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from quadmix_assets.report.markdown import code_block, inert, plain_text, table

_PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")
_JOINER = "\u2060"
_ACTIVE = {"image", "link_open", "html_inline", "html_block", "code_inline", "strong_open"}

# Pieces of which markup is made, in any order.
PIECES = st.lists(
    st.sampled_from(
        [*"![]()<>`*_|#\\\"'/:&;\n ab", "http://x.y", "](", "[a]: ", "<img src=", "<!--", "www.x.y"]
    ),
    max_size=24,
).map("".join)


def kinds(markdown: str) -> set[str]:
    """The types of all tokens."""
    found = set()
    for token in _PARSER.parse(markdown):
        found |= {token.type, *(child.type for child in token.children or [])}
    return found


def words(markdown: str) -> str:
    """The text that is shown."""
    return "".join(
        child.content
        for token in _PARSER.parse(markdown)
        for child in token.children or []
        if child.type == "text"
    )


@given(PIECES)
@example("![x](http://x.y/a.png)")
@example("![x]\n\n[x]: http://x.y")
@example("<img src=//x.y>")
def test_plain_text_is_shown_as_it_is(text: str) -> None:
    shown = f"a {plain_text(text)} z"
    assert not kinds(shown) & _ACTIVE
    assert words(shown).replace(_JOINER, "").split() == ["a", *text.split(), "z"]


@given(st.lists(PIECES, min_size=1, max_size=4))
def test_cells_stay_in_their_table(texts: list[str]) -> None:
    shown = table(pl.DataFrame({"one": texts, "two": texts[::-1]}))
    tokens = [token.type for token in _PARSER.parse(shown)]
    assert tokens.count("tr_open") == 1 + len(texts)
    assert tokens.count("td_open") == 2 * len(texts)
    assert not kinds(shown) & _ACTIVE


def test_what_is_missing_is_a_dash() -> None:
    frame = pl.DataFrame({"x": [None, float("nan"), float("-inf")], "outside": [True, False, None]})
    assert table(frame).splitlines()[2:] == ["| – | yes |", "| – | no |", "| – | – |"]


def test_marked_up_columns_are_named() -> None:
    frame = pl.DataFrame({"link": ["[a](/assets/a)"], "text": ["[a](/assets/a)"]})
    assert table(frame, ["link"]).count("[a](/assets/a)") == 1


@given(PIECES)
@example("![x][y] ![y]\n\n[y]: http://x.y")
@example("<http://x.y> <b>")
def test_inert_text_loads_and_links_nothing(text: str) -> None:
    assert not kinds(inert(text)) & {"image", "link_open", "html_inline", "html_block"}
    assert inert(text).replace(_JOINER, "") == text


@pytest.mark.parametrize("text", ["a\n```\n![x](http://x.y)", "````\n```", ""])
def test_no_line_ends_a_block(text: str) -> None:
    tokens = [token.type for token in _PARSER.parse(code_block(text))]
    assert tokens == ["fence"]
