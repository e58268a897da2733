"""Browser tests: skipped without Chromium; what a failed one saw is kept."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from quadmix_assets_tests.ui.chromium import CHROMIUM
from quadmix_assets_tests.ui.console import Console, new_page
from quadmix_assets_tests.ui.server import Server

# Ignored by git.
SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
_LINES_OF_THE_LOG = 60


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    absent = pytest.mark.skipif(
        CHROMIUM is None, reason="Chromium is not installed (apt install chromium)"
    )
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for mark in (pytest.mark.slow, pytest.mark.browser, absent):
                item.add_marker(mark)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep a picture of the page on which a test failed, and say where; add the server's log."""
    report = yield
    console = getattr(item, "funcargs", {}).get("console")
    if report.failed and call.when == "call" and isinstance(console, Console):
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / f"{item.name}.png"
        console.page.screenshot(path=path)
        report.sections.append(("Screenshot", f"{path}\nof {console.page.url}"))
        log = console.server.log.read_text(errors="replace").splitlines()
        report.sections.append(
            (f"End of {console.server.log}", "\n".join(log[-_LINES_OF_THE_LOG:]))
        )
    return report


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """One browser for the tests of a module."""
    with new_page() as opened:
        yield opened


@pytest.fixture
def console(page: Page, server: Server) -> Console:
    """The module's browser on the module's server."""
    return Console(page, server)
