"""What a person does on the pages of the UI, as clicks in a browser."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Locator, Page, TimeoutError, sync_playwright

from quadmix_assets_tests.ui.chromium import ARGUMENTS, CHROMIUM
from quadmix_assets_tests.ui.server import Server, wait_for

_TIMEOUT_MS = 60_000
_LAUNCHES = 3
_LOADED = """
{ workspaceOrError { ... on Workspace { locationEntries {
  loadStatus updatedTimestamp locationOrLoadError { ... on PythonError { message } }
} } } }
"""


@contextmanager
def new_page() -> Iterator[Page]:
    """An empty page of a new browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.set_default_timeout(_TIMEOUT_MS)
        yield page
        browser.close()


@dataclass(frozen=True)
class Console:
    """A browser's page on a server's UI."""

    page: Page
    server: Server

    def open(self, path: str) -> None:
        """Go to a path of the UI, such as `/automation`."""
        self.page.goto(f"{self.server.url}{path}")

    def open_asset(self, asset: str, view: str = "overview") -> None:
        """Go to a tab of an asset's page: overview, partitions, events, checks, ..."""
        self.open(f"/assets/{asset}?view={view}")

    def see(self, text: str | re.Pattern[str]) -> Locator:
        """The first element that shows `text`, once it is visible."""
        found = self.page.get_by_text(text).filter(visible=True).first
        found.wait_for()
        return found

    def open_markdown(self, entry: str) -> Locator:
        """Click "Show Markdown" of an entry of the metadata on an asset's page; returns it.

        What is longer than 1,000 characters, as every plot is, is shown only then.
        """
        row = self.page.get_by_role("row").filter(has_text=entry)
        row.get_by_text("[Show Markdown]").first.click()
        return self.page.get_by_role("dialog")

    def open_everything(self, asset: str, partition: str | None = None) -> str:
        """Open an asset's overview, or a partition, and all Markdown of it.

        Returns:
            The words that were shown.
        """
        view = "overview" if partition is None else f"partitions&partition={quote(partition)}"
        self.open_asset(asset, view)
        self.see(re.compile("Show Markdown|Latest materialization|Metadata"))
        # Pictures are asked for when their entry is drawn.
        self.page.wait_for_timeout(700)
        words = [self.page.locator("body").inner_text()]
        for button in self.page.get_by_text("[Show Markdown]").all():
            button.click()
            dialog = self.page.get_by_role("dialog")
            dialog.wait_for()
            self.page.wait_for_timeout(200)
            words.append(dialog.inner_text())
            self.page.keyboard.press("Escape")
            dialog.wait_for(state="hidden")
        return "\n".join(words)

    def materialize_all(self) -> str:
        """Click "Materialize all" on the lineage page, and launch all partitions.

        Returns:
            The id of the backfill that was launched.
        """
        self.open("/asset-groups")
        self._button("Materialize all").click()
        # Offered only where no asset with partitions is at the root of the graph; else the batches
        # of proxies would be left out.
        self.page.get_by_role("dialog").get_by_text("All partitions", exact=True).wait_for()
        return self._launch()

    def materialize_partitions(self, asset: str, which: str) -> str:
        """Click "Materialize" on an asset's page and launch its `which` partitions.

        Args:
            asset: its name.
            which: a choice of the dialog: All, Failed, Missing, Failed and missing.

        Returns:
            The id of the backfill that was launched.
        """
        self.open_asset(asset, "partitions")
        self._button("Materialize").click()
        self.page.get_by_role("dialog").get_by_text(which, exact=True).click()
        return self._launch()

    def unsynced(self) -> set[str]:
        """The assets that "Materialize unsynced" of the lineage page offers: missing or stale."""
        self.open("/asset-groups")
        self._menu_of(self._button("Materialize all"), "Materialize unsynced")
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_text(re.compile("Asset Name|All assets")).first.wait_for()
        links = dialog.get_by_role("link").all()
        self.page.keyboard.press("Escape")
        return {
            str(link.get_attribute("href")).split("?")[0].split("/assets/")[1] for link in links
        }

    def reload_definitions(self) -> None:
        """Click "Reload definitions" on the lineage page, and wait until they are loaded."""
        self.open("/asset-groups")
        before = self._loaded()["updatedTimestamp"]
        self._button("Reload definitions").click()

        def reloaded() -> bool | None:
            entry = self._loaded()
            fresh = entry["updatedTimestamp"] > before and entry["loadStatus"] == "LOADED"
            return True if fresh else None

        wait_for("the reload of the definitions", reloaded, seconds=180)
        assert not self._loaded()["locationOrLoadError"], "the code location does not load"

    def run_job(self, job: str, config: str) -> str:
        """Open a job's page, then its launchpad; replace the config and launch.

        Args:
            job: its name.
            config: run config as YAML; the config that the launchpad offers is replaced.

        Returns:
            The id of the run that was launched.
        """
        for attempt in range(_LAUNCHES):
            self.open("/jobs")
            self.page.get_by_text(job, exact=True).first.click()
            self._menu_of(self._button("Materialize"), "Open launchpad")
            launchpad = self.page.get_by_role("dialog")
            launchpad.locator(".CodeMirror-line").first.click()
            self.page.keyboard.press("Control+A")
            self.page.keyboard.insert_text(config)
            launchpad.get_by_text("No errors").wait_for()
            try:
                # Definitions that were reloaded a moment before can still arrive, and a launchpad
                # that is open then never offers to launch again.
                launch = launchpad.locator("button:not([role=menuitem])")
                launch.filter(has_text="Materialize").click(timeout=10_000)
                self.page.wait_for_url(re.compile("/runs/[0-9a-f-]{36}"))
                break
            except TimeoutError:
                if attempt + 1 == _LAUNCHES:
                    raise
        return self.page.url.split("/runs/")[1].split("?")[0]

    def switch(self, automation: str, *, on: bool) -> None:
        """Turn the switch of a sensor or schedule on the Automation page."""
        self.open("/automation")
        name = self.page.get_by_text(automation, exact=True).first
        row = name.locator("xpath=ancestor::*[.//input][1]")
        # The row's other checkbox selects it.
        label = row.locator("label[class*=Switch]")
        switch = label.locator("input")
        if switch.is_checked() != on:
            label.click()
        wait_for(
            f"{automation} is switched {'on' if on else 'off'}",
            lambda: True if switch.is_checked() == on else None,
            seconds=60,
        )

    def _launch(self) -> str:
        self.page.get_by_role("dialog").get_by_role("button", name="Launch backfill").click()
        words = self.see(re.compile(r"Created backfill \w+")).inner_text()
        return words.split("Created backfill ")[1].split()[0]

    def _button(self, text: str) -> Locator:
        return self.page.locator("button").filter(has_text=text).first

    def _menu_of(self, button: Locator, item: str) -> None:
        """Click the arrow beside a button, then an item of the menu that it opens."""
        button.wait_for()
        button.locator("xpath=following::button[1]").click()
        self.page.get_by_role("menuitem").filter(has_text=item).click()

    def _loaded(self) -> dict[str, Any]:
        (entry,) = self.server.query(_LOADED)["workspaceOrError"]["locationEntries"]
        return dict(entry)
