import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from quadmix_assets.figures import DARK_BLUE, LIGHT_GREY, svg_of
from quadmix_assets.page.inline_svg import inline_svg
from quadmix_assets_tests.page.reader import ReadPage, read_page

HOSTILE = '</text></svg><script>alert("1")</script>'


def draw(width: float = 4.0) -> Figure:
    figure = Figure(figsize=(width, 3.0))
    axes = figure.subplots()
    axes.imshow(np.arange(4.0).reshape(2, 2), aspect="auto")
    axes.plot([0, 1], [0, 1], color=LIGHT_GREY)
    axes.plot([0, 1], [1, 0], color=DARK_BLUE, marker="o")
    axes.set_title(HOSTILE)
    axes.text(0.5, 0.5, "white", color="white")
    return figure


def inline(name: str, prefix: str, width: float = 4.0) -> ReadPage:
    html, _ = inline_svg(svg_of(draw(width), name), prefix, HOSTILE)
    return read_page(html)


def test_a_figure_is_well_formed_and_loads_nothing() -> None:
    page = inline("a", "f1")
    assert page.problems == [] and page.loaded() == []
    (svg,) = page.all("svg")
    assert svg.attributes["aria-label"] == HOSTILE
    assert HOSTILE in [element.text for element in page.all("text")]
    assert page.all("image")[0].attributes["href"].startswith("data:image/png;base64,iVBOR")
    assert not page.all("script")


def test_colours_are_those_of_the_page_and_fonts_are_left_to_it() -> None:
    page = inline("a", "f1")
    styles = " ".join(element.attributes.get("style", "") for element in page.elements)
    for variable in ("currentColor", "var(--pale)", "var(--deep)"):
        assert variable in styles
    assert not re.search(f"#000000|{LIGHT_GREY}|{DARK_BLUE}|font-family", styles)
    (white,) = [element for element in page.all("text") if element.text == "white"]
    assert "#ffffff" in white.attributes["style"], "in a cell of a heat map"


def test_everything_that_is_referred_to_is_there_and_ids_are_the_figures_own() -> None:
    one, two = inline("a", "f1"), inline("a", "f2")
    ids = [
        {each.attributes["id"] for each in page.elements if "id" in each.attributes}
        for page in (one, two)
    ]
    assert ids[0] and not ids[0] & ids[1]
    assert one.twice() == set()
    referred = set()
    for element in one.elements:
        for name, value in element.attributes.items():
            referred |= set(re.findall(r"url\(#([^)]+)\)", value))
            if name == "href" and value.startswith("#"):
                referred.add(value[1:])
    assert referred == ids[0]


def test_wide_figures_are_told_from_others() -> None:
    assert [inline_svg(svg_of(draw(w), "a"), "f", "")[1] for w in (4.0, 9.0)] == [False, True]


@pytest.mark.parametrize("reference", ["http://x.example/a.png", "//x.example", "file:///etc/x"])
def test_a_figure_that_would_load_something_is_refused(reference: str) -> None:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 1 1"><image xlink:href="{reference}"/></svg>'
    )
    with pytest.raises(ValueError, match="not in the figure"):
        inline_svg(svg.encode(), "f", "")
