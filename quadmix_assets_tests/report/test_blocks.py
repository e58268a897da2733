import polars as pl

from quadmix_assets.report.blocks import Block, blocks_markdown, blocks_text

TABLE = pl.DataFrame({"name": ["one", "two|three"], "value": [1.0, 20.5]})


def test_the_terminal_aligns_tables_and_wraps_lines() -> None:
    long = " ".join(["word"] * 60)
    text = blocks_text([Block("title", ("first", long), TABLE), Block("next", ("only",))])
    lines = text.splitlines()
    assert lines[:2] == ["title", "  - first"]
    assert all(len(line) <= 100 for line in lines)
    assert "  one            1" in lines
    assert "  two|three   20.5" in lines
    assert lines[-3:] == ["", "next", "  only"]


def test_markdown_has_lists_tables_and_code() -> None:
    shown = blocks_markdown([Block("a *title*", ("one", "two"), TABLE, "```\nx")])
    assert shown.startswith("**a \\*title\\***\n\n- one\n- two\n\n| name | value |")
    assert shown.endswith("````\n```\nx\n````")


def test_a_verbatim_text_moves_no_cursor() -> None:
    text = blocks_text([Block("t", verbatim="a\x1b[2Jb\r\nnext\tline")])
    assert "\x1b" not in text
    assert "\r" not in text
    assert "  | next line" in text
