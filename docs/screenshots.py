"""Takes the pictures of the docs from the real UI, in headless Chromium.

    .venv/bin/python docs/screenshots.py

Serves the demo's instance (run `make demo` before), opens the pages and writes `docs/*.png`, in few
colours so that the files stay small. Needs Chromium and the extra `dev`.
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
from urllib.parse import quote

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
DOCS = Path(__file__).parent
GROUPS = ("corpus", "features", "proxies", "search", "mix", "comparison", "report")
_COLOURS = 64
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


def picture(page: Page, name: str, *, left: int = 0, top: int = 0, width: int) -> None:
    """Write what the page shows from (left, top) on as `docs/<name>.png`, `width` pixels wide."""
    shown = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    cut = shown.crop((left, top, shown.width, shown.height))
    cut = cut.resize((width, round(cut.height * width / cut.width)), Image.Resampling.LANCZOS)
    reduced = cut.quantize(_COLOURS, dither=Image.Dither.NONE)
    reduced.save(DOCS / f"{name}.png", optimize=True)


def asset_graph(page: Page, url: str) -> None:
    """The lineage of all assets, with every group expanded."""
    expanded = ",".join(f"global@global:{group}" for group in GROUPS)
    page.set_viewport_size({"width": 3000, "height": 2100})
    page.goto(f"{url}/asset-groups?expanded={quote(expanded)}")
    page.get_by_text("mix_manifest", exact=True).first.wait_for(timeout=120_000)
    # The graph is laid out, and its state is fetched, after its names are there.
    page.wait_for_timeout(8_000)
    picture(page, "asset_graph", left=560, top=116, width=2000)


def main() -> None:
    """Take all pictures."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with served("demo") as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        asset_graph(browser.new_page(), url)
        browser.close()


if __name__ == "__main__":
    main()
