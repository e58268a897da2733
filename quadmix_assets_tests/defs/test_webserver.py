"""The real webserver and daemon: an asset is materialised through GraphQL and seen in a browser."""

import json
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
from dataclasses import dataclass
from typing import Any

import pytest

from quadmix_assets.settings.load import PACKAGE
from quadmix_assets_tests.conftest import Project

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""
STATUS = """
query Status($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }
"""
LATEST = """
query Latest($key: AssetKeyInput!) {
  assetOrError(assetKey: $key) {
    ... on Asset { assetMaterializations(limit: 1) { runId metadataEntries { label } } }
  }
}
"""
LOCATIONS = """
{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }
"""


@dataclass
class Server:
    """A running webserver with its daemon."""

    url: str

    def query(self, text: str, **variables: Any) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.url}/graphql",
            json.dumps({"query": text, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data


@pytest.fixture(scope="module")
def server(tiny: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    project = tiny.copy(tmp_path_factory.mktemp("served") / "copy")
    shutil.copyfile(PACKAGE / "dagster.yaml", project.folder / "dagster" / "dagster.yaml")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(project.folder / "dagster"),
    }
    log = (project.folder / "server.log").open("wb")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "quadmix_assets.cli",
            "--profile",
            str(project.profile),
            "ui",
            "--port",
            str(port),
        ],
        cwd=project.folder,
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        running = Server(f"http://127.0.0.1:{port}")
        for _ in range(120):
            try:
                running.query("{ version }")
                break
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None, (project.folder / "server.log").read_text()[-3000:]
                time.sleep(1.0)
        yield running
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        log.close()


@pytest.mark.slow
def test_asset_is_materialised_through_graphql(server: Server) -> None:
    (repository,) = server.query(LOCATIONS)["repositoriesOrError"]["nodes"]
    launched = server.query(
        LAUNCH,
        params={
            "selector": {
                "repositoryLocationName": repository["location"]["name"],
                "repositoryName": repository["name"],
                "pipelineName": "__ASSET_JOB",
                "assetSelection": [{"path": ["parameter_sets"]}],
                "assetCheckSelection": [],
            },
            "mode": "default",
            "runConfigData": "{}",
        },
    )["launchPipelineExecution"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run = launched["run"]["runId"]
    status = ""
    for _ in range(120):
        status = server.query(STATUS, run=run)["runOrError"]["status"]
        if status in {"SUCCESS", "FAILURE", "CANCELED"}:
            break
        time.sleep(1.0)
    assert status == "SUCCESS"
    asset = server.query(LATEST, key={"path": ["parameter_sets"]})["assetOrError"]
    (latest,) = asset["assetMaterializations"]
    assert latest["runId"] == run
    labels = {entry["label"] for entry in latest["metadataEntries"]}
    assert {"n_proxy_batches", "dagster/row_count"} <= labels


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt install chromium)")
def test_mix_is_seen_in_the_browser(server: Server) -> None:
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.goto(f"{server.url}/assets/mix_manifest")
        page.get_by_text("Latest materialization").first.wait_for(timeout=60_000)
        page.get_by_text("n_tokens_out").first.wait_for(timeout=60_000)
        page.goto(f"{server.url}/asset-groups")
        for group in ("corpus", "features", "proxies", "search", "mix", "comparison"):
            page.get_by_text(group, exact=True).first.wait_for(timeout=60_000)
        page.goto(f"{server.url}/automation")
        page.get_by_text("discover_shards").first.wait_for(timeout=60_000)
        browser.close()
