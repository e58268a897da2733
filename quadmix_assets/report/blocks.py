"""Answers in parts that are shown both in Dagster's UI, as Markdown, and in a terminal."""

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from quadmix_assets.report.markdown import cell_text, code_block, plain_text, table

_WIDTH = 100
_INDENT = "  "
_WIDEST_CELL = 72


@dataclass(frozen=True, eq=False)
class Block:
    """A part of an answer; nothing in it is marked up.

    Attributes:
        title: its heading.
        lines: sentences, each shown as an item of a list if there are several.
        table: a small table below them.
        verbatim: a text of several lines, such as the start of a document, below that.
    """

    title: str
    lines: tuple[str, ...] = ()
    table: pl.DataFrame | None = None
    verbatim: str = ""


def blocks_markdown(blocks: Iterable[Block]) -> str:
    """The blocks as Markdown in which words of documents load, link and mark up nothing."""
    parts = []
    for block in blocks:
        parts.append(f"**{plain_text(block.title)}**")
        lines = [plain_text(line) for line in block.lines]
        if lines:
            parts.append(lines[0] if len(lines) == 1 else "\n".join(f"- {line}" for line in lines))
        if block.table is not None:
            parts.append(table(block.table))
        if block.verbatim:
            parts.append(code_block(_wrapped(block.verbatim, "")))
    return "\n\n".join(parts)


def blocks_text(blocks: Iterable[Block]) -> str:
    """The blocks as text for a terminal."""
    parts = []
    for block in blocks:
        lines = [block.title]
        marker = "- " if len(block.lines) > 1 else ""
        for line in block.lines:
            lines += textwrap.wrap(
                f"{marker}{line}",
                _WIDTH,
                initial_indent=_INDENT,
                subsequent_indent=_INDENT + " " * len(marker),
                break_on_hyphens=False,
            )
        if block.table is not None:
            lines += _aligned(block.table)
        if block.verbatim:
            lines.append(_wrapped(block.verbatim, f"{_INDENT}| "))
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _aligned(frame: pl.DataFrame) -> list[str]:
    """A table with aligned columns, numbers to the right."""
    rows = [[_short(cell_text(value)) for value in row] for row in frame.iter_rows()]
    widths = [max(map(len, column)) for column in zip(frame.columns, *rows, strict=True)]
    is_number = [dtype.is_numeric() for dtype in frame.dtypes]
    return [
        (
            _INDENT
            + "  ".join(
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(row, widths, is_number, strict=True)
            )
        ).rstrip()
        for row in (list(frame.columns), *rows)
    ]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDEST_CELL else f"{line[: _WIDEST_CELL - 1]}…"


def _wrapped(text: str, indent: str) -> str:
    """A text in lines that are not too wide, without characters that move the cursor."""
    lines = []
    for line in text.splitlines():
        shown = "".join(c if c.isprintable() else " " for c in line)
        lines += textwrap.wrap(shown, _WIDTH) or [""]
    return "\n".join(f"{indent}{line}".rstrip() for line in lines)
