"""Markdown of texts and small tables, as Dagster's UI shows it."""

import math
import re
from collections.abc import Collection

import polars as pl

# An address becomes a link even where every sign of it is escaped. A word joiner, which is not
# seen, after `//`, `www` and before `@` ends what the renderer takes for one.
_WORD_JOINER = "\u2060"
_MISSING = "–"
_MARKUP = re.compile(r"\](?=[(\[:])|<(?=[A-Za-z/!?])")
_ADDRESS = re.compile(r"(?<=:)//|\bwww(?=\.)|(?<=[\w.+-])(?=@)", re.I)


def plain_text(text: str) -> str:
    """A text in one line that Markdown shows as it is: nothing is marked up, loaded or linked.

    Bars are left to `table`.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    inert = _ADDRESS.sub(rf"\g<0>{_WORD_JOINER}", line)
    # Underscores inside words mean nothing to Markdown.
    return re.sub(r"([\\`*{}\[\]<>#~!$&]|(?<!\w)_|_(?!\w))", r"\\\1", inert)


def inert(text: str) -> str:
    """A text that may be marked up, but loads and links nothing; it looks the same anywhere.

    For sentences that are shown both as Markdown and in a terminal, and may hold words of the
    input.
    """
    return _MARKUP.sub(rf"\g<0>{_WORD_JOINER}", _ADDRESS.sub(rf"\g<0>{_WORD_JOINER}", text))


def code_block(text: str) -> str:
    """A text of several lines, shown as it is; no line of it can end the block."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text.rstrip()}\n{fence}"


def table(frame: pl.DataFrame, markdown: Collection[str] = ()) -> str:
    """A small table; what is missing or not finite is a dash.

    Args:
        frame: its cells are shown as they are, since they may hold words of documents.
        markdown: the columns whose cells are Markdown.
    """

    def cell(column: str, value: object) -> str:
        text = cell_text(value)
        shown = text.replace("\n", " ") if column in markdown else plain_text(text)
        return shown.replace("|", "\\|")

    rows = (map(cell, frame.columns, row) for row in frame.iter_rows())
    lines = [
        "| " + " | ".join(cell("", name) for name in frame.columns) + " |",
        "|" + " --- |" * frame.width,
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
    return "\n".join(lines)


def whole(column: str) -> pl.Expr:
    """A column of whole numbers as texts, in groups of three digits."""
    return pl.col(column).map_elements(lambda n: f"{n:,}", return_dtype=pl.String)


def cell_text(value: object) -> str:
    """The text of a value in a cell: four digits of a number, a dash for what is missing."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return _MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
