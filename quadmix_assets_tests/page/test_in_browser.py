"""The page in a browser: it asks for nothing, and follows light, dark and paper."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Browser, sync_playwright

from quadmix_assets.figures import svg_of
from quadmix_assets.page.document import Section, page_html
from quadmix_assets.page.markup import table
from quadmix_assets.page.sections.documents import documents_html
from quadmix_assets.page.stored_figures import StoredFigure
from quadmix_assets.page.taken_and_left import Shown, Side, TakenAndLeft
from quadmix_assets_tests.page.test_inline_svg import draw
from quadmix_assets_tests.ui.chromium import ARGUMENTS, CHROMIUM

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
HOSTILE = (
    '<img src="http://x.example/a.png"><script src="http://x.example/b.js"></script>'
    '<style>@import url(http://x.example/c.css);</style><svg onload="document.title=1">'
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    side = Side(1, 1, (Shown(HOSTILE, 1, 1, HOSTILE, HOSTILE),))
    figure = StoredFigure("a", "b", svg_of(draw(), "a.b"), is_svg=True).html(HOSTILE)
    wide = pl.DataFrame({f"column_{n}": [n * 1_000_000] for n in range(30)})
    body = figure + table(wide, HOSTILE) + documents_html("m", [TakenAndLeft(HOSTILE, side, side)])
    path = Path(tmp_path_factory.mktemp("page")) / "report.html"
    path.write_text(page_html("Title", "", [Section("one", "One", body)], {}))
    return path.as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_asked_for_and_texts_stand_out_from_the_ground(
    browser: Browser, address: str, scheme: str
) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": 420, "height": 800})  # type: ignore[arg-type]
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.click("summary")
    assert [url for url in asked if not url.startswith("data:")] == [address]
    assert page.title() == "Title"
    assert page.evaluate("document.scripts.length") == 0
    # Wide tables scroll by themselves.
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    bright = page.evaluate(
        """() => {
            const sum = colour => colour.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0);
            const of = (where, what) => sum(getComputedStyle(document.querySelector(where))[what]);
            return [of("html", "backgroundColor"), of("p", "color"), of("svg text", "fill")];
        }"""
    )
    ground, text, figure = bright
    assert abs(text - ground) > 400 and abs(figure - ground) > 400
    assert (ground > 600) == (scheme == "light")
    page.close()


def test_on_paper_it_is_dark_on_white_without_contents_and_folded_lists(
    browser: Browser, address: str
) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(address)
    page.emulate_media(media="print", color_scheme="dark")
    shown = page.evaluate(
        """() => ["nav", "details", "figure"].map(
            name => getComputedStyle(document.querySelector(name)).display)"""
    )
    assert shown[:2] == ["none", "none"] and shown[2] != "none"
    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()
