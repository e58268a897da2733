"""The page around its sections: head, style, contents."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from quadmix_assets.page.markup import escaped, heading

_MADE_FROM = "made-from"
_CSS = Path(__file__).with_name("page.css")
# Nothing is loaded and nothing runs, whatever a text on the page should look like to a browser.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes:
        anchor: its id, of letters and hyphens.
        title: its heading.
        body: HTML.
    """

    anchor: str
    title: str
    body: str


def page_html(
    title: str, introduction: str, sections: Sequence[Section], made_from: Mapping[str, str]
) -> str:
    """The page as one HTML file; sections without a body are left out.

    Args:
        title: of the page.
        introduction: HTML below the title.
        sections: in their order.
        made_from: versions of what is shown, by name; see `read_made_from`.
    """
    versions = escaped(json.dumps(made_from, sort_keys=True))
    shown = [section for section in sections if section.body]
    contents = "".join(
        f'<li><a href="#{section.anchor}">{escaped(section.title)}</a></li>\n' for section in shown
    )
    bodies = "".join(
        f'<section id="{section.anchor}">\n{heading(2, section.title)}{section.body}</section>\n'
        for section in shown
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="{_MADE_FROM}" content="{versions}">\n'
        f"<title>{escaped(title)}</title>\n<style>\n{_CSS.read_text()}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{escaped(title)}</h1>\n"
        f'<nav aria-label="Contents"><ul>\n{contents}</ul></nav>\n</header>\n'
        f"<main>\n{introduction}{bodies}</main>\n</body>\n</html>\n"
    )


def read_made_from(page: str) -> dict[str, str]:
    """The versions of what a page shows, as `page_html` was given them; {} if it says nothing."""
    found = re.search(f'<meta name="{_MADE_FROM}" content="([^"]*)">', page)
    return dict(json.loads(html.unescape(found[1]))) if found else {}
