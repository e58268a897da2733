"""Makes an SVG of the lake part of a page: in the colours and the font of the page around it."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from quadmix_assets.figures import DARK_BLUE, FAINT, LIGHT_GREY
from quadmix_assets.page.markup import escaped

_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
# In the page, these follow its light or dark ground; all other colours show on both.
_COLOURS = {
    "#000000": "currentColor",
    LIGHT_GREY: "var(--pale)",
    FAINT: "var(--faint)",
    DARK_BLUE: "var(--deep)",
}
_COLOUR = re.compile("|".join(_COLOURS))
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
# The page has its own.
_LEFT_OUT = frozenset({"metadata", "style", "title", "desc"})
_FONTS = frozenset({"font-family"})
# Wider figures, in their own units of 1/72 inch, have a row of the page for themselves.
_WIDE = 520.0


def inline_svg(svg: bytes, prefix: str, label: str) -> tuple[str, bool]:
    """The SVG of a figure as part of an HTML page.

    Black becomes the colour of the page's text, pale and deep colours the page's own, and fonts are
    left to the page.

    Args:
        svg: as `svg_of` gives it.
        prefix: of its ids, unique in the page.
        label: what readers hear who do not see it.

    Returns:
        The HTML, and whether the figure is a wide one.

    Raises:
        ValueError: it refers to something outside itself.
    """
    root = ElementTree.fromstring(svg)
    referred = {*_referred(root)}
    box = root.get("viewBox", "0 0 0 0")
    width = float(box.split()[2])
    inside = "".join(_written(child, prefix, referred) for child in root)
    opened = (
        f'<svg viewBox="{escaped(box)}" style="max-width: {width * 4 / 3:.0f}px" role="img" '
        f'aria-label="{escaped(label)}">'
    )
    return f"{opened}{inside}</svg>", width > _WIDE


def _referred(root: ElementTree.Element) -> Iterator[str]:
    """The ids that something in the figure refers to."""
    for node in root.iter():
        for name, value in node.attrib.items():
            yield from _REFERENCE.findall(value)
            if name in (_HREF, "href") and value.startswith("#"):
                yield value[1:]


def _written(node: ElementTree.Element, prefix: str, referred: set[str]) -> str:
    tag = node.tag.removeprefix(_SVG)
    if tag in _LEFT_OUT:
        return ""
    attributes = "".join(
        f' {name}="{escaped(value)}"'
        for name, value in _attributes(node, prefix, referred)
        if value
    )
    inside = escaped(node.text or "") if tag in ("text", "tspan") else ""
    for child in node:
        inside += _written(child, prefix, referred)
        if tag in ("text", "tspan"):
            inside += escaped(child.tail or "")
    if tag == "g" and not attributes:
        return inside
    return f"<{tag}{attributes}>{inside}</{tag}>" if inside else f"<{tag}{attributes}/>"


def _attributes(
    node: ElementTree.Element, prefix: str, referred: set[str]
) -> Iterator[tuple[str, str]]:
    for name, value in node.attrib.items():
        if name == "id":
            yield "id", f"{prefix}-{value}" if value in referred else ""
        elif name in (_HREF, "href"):
            yield "href", _inside(value, prefix)
        elif name == "style":
            yield "style", _style(value, prefix)
        elif not name.startswith("{"):
            yield name, " ".join(_REFERENCE.sub(rf"url(#{prefix}-\1)", value).split())


def _inside(value: str, prefix: str) -> str:
    if value.startswith("#"):
        return f"#{prefix}-{value[1:]}"
    if not value.startswith("data:image/png;base64,"):
        raise ValueError(f"a figure refers to {value[:60]!r}, which is not in the figure")
    return "".join(value.split())


def _style(value: str, prefix: str) -> str:
    parts = (part.strip() for part in value.split(";"))
    kept = (part for part in parts if part and part.split(":")[0].strip() not in _FONTS)
    text = "; ".join(kept)
    return _REFERENCE.sub(
        rf"url(#{prefix}-\1)", _COLOUR.sub(lambda found: _COLOURS[found[0]], text)
    )
