"""Takes the pictures of the docs from the real UI, in headless Chromium.

    .venv/bin/python docs/screenshots.py

Serves the demo's instance (run `make demo` before), opens the pages and writes `docs/*.png`, in few
colours so that the files stay small: the asset graph of the README, and the pages of docs/tour.md.
A smaller demo will do, made and served with settings such as QUADMIX_PARAMETERS='{"n": 48}'. Names
of pictures as arguments take only these. Needs Chromium and the extra `dev`.
"""

import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
DOCS = Path(__file__).parent
_COLOURS = 64
# Width of the navigation at the left of every page, in pixels.
_NAVIGATION = 240
_SHORTEN = """folder => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    texts.currentNode.data = texts.currentNode.data.replaceAll(folder, "");
  }
}"""
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextmanager
def served(profile: str) -> Iterator[str]:
    """The address of a webserver over the profile's instance, for as long as the block runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = ROOT / "data" / "dagster" / profile
    if not home.is_dir():
        raise FileNotFoundError(f"{home} is not there: run `make {profile}` first")
    process = subprocess.Popen(
        [Path(sys.executable).parent / "dg", "dev", "--host", "127.0.0.1", "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "QUADMIX_PROFILE": profile, "DAGSTER_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                urllib.request.urlopen(f"{url}/server_info", timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError):
                if process.poll() is not None:
                    raise RuntimeError("the webserver ended: run `make ui` to see why") from None
                time.sleep(1.0)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=60)


def picture(
    page: Page, name: str, *, left: int = 0, top: int = 0, width: int, height: int | None = None
) -> None:
    """Write a part of what the page shows as `docs/<name>.png`, `width` pixels wide.

    Args:
        page: the browser's page.
        name: of the picture.
        left, top: where the part starts, in pixels of the page.
        width: of the picture.
        height: of the part, in pixels of the page; None: all that the browser's window shows.
    """
    # Where this checkout lies says nothing to the reader.
    page.evaluate(_SHORTEN, f"{ROOT}/")
    shown = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    bottom = shown.height if height is None else top + height
    cut = shown.crop((left, top, shown.width, bottom))
    cut = cut.resize((width, round(cut.height * width / cut.width)), Image.Resampling.LANCZOS)
    reduced = cut.quantize(_COLOURS, dither=Image.Dither.NONE)
    reduced.save(DOCS / f"{name}.png", optimize=True)


def tour_overview(page: Page, url: str) -> None:
    """The first page."""
    _open(page, f"{url}/assets/overview", 1500)
    page.get_by_text("Latest materialization").first.wait_for()
    page.wait_for_timeout(4_000)
    picture(page, "tour_overview", left=_NAVIGATION, width=1000)


def tour_materialize_all(page: Page, url: str) -> None:
    """The dialog of the lineage page, with all partitions chosen."""
    _open(page, f"{url}/asset-groups", 700)
    page.locator("button").filter(has_text="Materialize all").first.click()
    page.get_by_role("dialog").get_by_text("All partitions", exact=True).wait_for()
    page.wait_for_timeout(2_000)
    picture(page, "tour_materialize_all", left=_NAVIGATION, width=1000)


def tour_mix(page: Page, url: str) -> None:
    """The page of the manifest, with the plot of the domains' shares opened."""
    _open(page, f"{url}/assets/mixes/quadmix/mix_manifest", 1000)
    row = page.get_by_role("row").filter(has_text="domain_shares")
    row.get_by_text("[Show Markdown]").first.click()
    page.get_by_role("dialog").locator("img").first.wait_for()
    page.wait_for_timeout(2_000)
    picture(page, "tour_mix", left=_NAVIGATION, width=1000)


def tour_comparison(page: Page, url: str) -> None:
    """The mixes side by side, with the plot of what they have in common opened."""
    _open(page, f"{url}/assets/mix_comparison", 1000)
    row = page.get_by_role("row").filter(has_text="overlaps")
    row.get_by_text("[Show Markdown]").first.click()
    page.get_by_role("dialog").locator("img").first.wait_for()
    page.wait_for_timeout(2_000)
    picture(page, "tour_comparison", left=_NAVIGATION, width=1000)


def tour_checks(page: Page, url: str) -> None:
    """The checks of raw_shards."""
    _open(page, f"{url}/assets/raw_shards?view=checks", 700)
    page.get_by_text("shards_are_usable").first.click()
    page.wait_for_timeout(3_000)
    picture(page, "tour_checks", left=_NAVIGATION, width=1000)


def tour_jobs(page: Page, url: str) -> None:
    """The list of jobs."""
    _open(page, f"{url}/jobs", 570)
    page.get_by_text("build_everything").first.wait_for()
    page.wait_for_timeout(2_000)
    picture(page, "tour_jobs", left=_NAVIGATION, width=1000)


def tour_automation(page: Page, url: str) -> None:
    """The switches."""
    _open(page, f"{url}/automation", 800)
    page.get_by_text("follow_shards").first.wait_for()
    page.wait_for_timeout(2_000)
    picture(page, "tour_automation", left=_NAVIGATION, width=1000)


def _open(page: Page, url: str, height: int) -> None:
    page.set_viewport_size({"width": 1500, "height": height})
    page.goto(url)


PICTURES = (
    tour_overview,
    tour_materialize_all,
    tour_mix,
    tour_comparison,
    tour_checks,
    tour_jobs,
    tour_automation,
)


def main() -> None:
    """Take the pictures that the command line names, or all."""
    wanted = set(sys.argv[1:]) or {take.__name__ for take in PICTURES}
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with served("demo") as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        for take in PICTURES:
            if take.__name__ in wanted:
                take(browser.new_page(), url)
        browser.close()


if __name__ == "__main__":
    main()
