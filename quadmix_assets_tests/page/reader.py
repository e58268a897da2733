"""Reads a page as a browser would, for the tests: its elements, its texts, and what it loads."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

# Elements that have no end.
_VOID = {"br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
_LOADING = {"src", "srcset", "href", "xlink:href", "data", "poster", "action", "background"}


@dataclass
class Element:
    """An element with its attributes, and the text in it and below it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    below: list["Element"] = field(default_factory=list)


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.elements: list[Element] = []
        self.open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._add(tag, attrs)
        if tag in _VOID:
            self.open.pop()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._add(tag, attrs)
        self.open.pop()
        if not any(each.tag == "svg" for each in self.open):
            self.problems.append(f"<{tag}/> outside of SVG")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1].tag != tag:
            self.problems.append(f"</{tag}> ends {[each.tag for each in self.open[-3:]]}")
        else:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data

    def _add(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.problems.append(f"<{tag}> has an attribute twice: {names}")
        element = Element(tag, {name: value or "" for name, value in attrs})
        if self.open:
            self.open[-1].below.append(element)
        self.elements.append(element)
        self.open.append(element)


@dataclass(frozen=True)
class ReadPage:
    """A page that was read.

    Attributes:
        elements: all of them, in their order.
        problems: what is not well-formed.
    """

    elements: list[Element]
    problems: list[str]

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """The elements of a tag with these attributes; `class_` stands for class."""
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return [
            element
            for element in self.elements
            if element.tag == tag and wanted.items() <= element.attributes.items()
        ]

    def section(self, anchor: str) -> Element:
        """The section with this id."""
        (found,) = self.all("section", id=anchor)
        return found

    def loaded(self) -> list[str]:
        """Everything that the page would load or lead to, but for places on it and its own data."""
        found = [
            f"{element.tag} {name}={value[:40]}"
            for element in self.elements
            for name, value in element.attributes.items()
            if name in _LOADING and not value.startswith(("#", "data:image/png;base64,"))
        ]
        found += [
            f"{element.tag} style={value[:40]}"
            for element in self.elements
            for name, value in element.attributes.items()
            if name == "style" and "url(" in value.replace("url(#", "")
        ]
        scripts = ("script", "iframe", "object", "embed", "link", "base", "form")
        found += [element.tag for element in self.elements if element.tag in scripts]
        found += [
            f"{element.tag} {name}"
            for element in self.elements
            for name in element.attributes
            if name.startswith("on")
        ]
        for style in self.all("style"):
            found += [words for words in ("@import", "url(") if words in style.text]
        return found

    def twice(self) -> set[str]:
        """Ids that more than one element has."""
        ids = [element.attributes["id"] for element in self.elements if "id" in element.attributes]
        return {name for name in ids if ids.count(name) > 1}


def read_page(html: str) -> ReadPage:
    """Parse a page."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    problems = [*parser.problems, *(f"<{each.tag}> has no end" for each in parser.open)]
    return ReadPage(parser.elements, problems)


def cells(table: Element) -> list[list[str]]:
    """The texts of a table's cells, row by row, its headings first."""
    found: list[list[str]] = []

    def walk(element: Element) -> None:
        if element.tag == "tr":
            found.append([each.text for each in element.below])
        for each in element.below:
            walk(each)

    walk(table)
    return found
