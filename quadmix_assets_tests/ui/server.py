"""The command `quadmix ui` in a process of its own, and GraphQL for waiting and asserting."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from quadmix_assets_tests.ui.pool import clean_environment

_T = TypeVar("_T")

# Holds a sitecustomize.py that shortens what the daemon waits between two looks at a backfill.
_IMPATIENT = Path(__file__).with_name("impatient")

_BACKFILLS = """
query Backfills { partitionBackfillsOrError(limit: 20) {
  ... on PartitionBackfills { results { id status title error { message } } }
  ... on PythonError { message }
} }
"""
_RUNS = """
query Runs { runsOrError(limit: 200) {
  ... on Runs { results { runId status jobName startTime assetSelection { path }
    tags { key value } } }
  ... on PythonError { message }
} }
"""
_ASSETS = """
query Assets { assetNodes {
  assetKey { path } isMaterializable staleStatus
  staleCauses { reason category key { path } dependency { path } }
  partitionStats { numMaterialized numPartitions numFailed }
  assetMaterializations(limit: 1) { runId timestamp }
} }
"""
_PARTITIONS = """
query Partitions($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
  partitionKeysByDimension { partitionKeys }
  assetPartitionStatuses {
    ... on DefaultPartitionStatuses { materializedPartitions failedPartitions }
  }
} } }
"""
_CHECKS = """
query Checks($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
  assetChecksOrError { ... on AssetChecks { checks { name
    executionForLatestMaterialization {
      status evaluation { success severity description }
    }
  } } }
} } }
"""


class NotInTimeError(AssertionError):
    """Something that was waited for did not happen."""


def wait_for(what: str, ask: Callable[[], _T | None], *, seconds: float, every: float = 1.0) -> _T:
    """The first answer of `ask` that is not None.

    Raises:
        NotInTimeError: there was none in `seconds`; the message says `what`.
    """
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer is not None:
            return answer
        if time.monotonic() > end:
            raise NotInTimeError(f"not within {seconds:.0f} s: {what}")
        time.sleep(every)


@dataclass(frozen=True)
class Server:
    """A running webserver with its daemon.

    Attributes:
        url: without a slash at its end.
        log: what the process writes.
    """

    url: str
    log: Path

    def query(self, text: str, **variables: Any) -> dict[str, Any]:
        """The data of a GraphQL query's answer."""
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

    def backfills(self) -> list[dict[str, Any]]:
        """Backfills, the newest first."""
        found: list[dict[str, Any]] = self.query(_BACKFILLS)["partitionBackfillsOrError"]["results"]
        return found

    def runs(self) -> list[dict[str, Any]]:
        """Runs, the newest first."""
        found: list[dict[str, Any]] = self.query(_RUNS)["runsOrError"]["results"]
        return found

    def failed_runs(self) -> list[dict[str, Any]]:
        """Runs that ended without success."""
        return [run for run in self.runs() if run["status"] in {"FAILURE", "CANCELED"}]

    def assets(self) -> dict[str, dict[str, Any]]:
        """All assets by name, with their staleness, counts of partitions and last run."""
        nodes = self.query(_ASSETS)["assetNodes"]
        return {"/".join(node["assetKey"]["path"]): node for node in nodes}

    def stale(self) -> dict[str, list[str]]:
        """The assets that the UI marks `Unsynced`, each with the reasons that it shows."""
        return {
            name: [cause["reason"] for cause in node["staleCauses"]]
            for name, node in self.assets().items()
            if node["isMaterializable"] and node["staleStatus"] == "STALE"
        }

    def partitions(self, asset: str) -> dict[str, set[str]]:
        """The `registered`, `materialized` and `failed` partitions of an asset."""
        node = self.query(_PARTITIONS, key={"path": asset.split("/")})["assetNodeOrError"]
        (dimension,) = node["partitionKeysByDimension"]
        statuses = node["assetPartitionStatuses"]
        return {
            "registered": set(dimension["partitionKeys"]),
            "materialized": set(statuses["materializedPartitions"]),
            "failed": set(statuses["failedPartitions"]),
        }

    def checks(self, asset: str) -> dict[str, dict[str, Any]]:
        """The latest evaluation of each check of an asset; checks never evaluated are left out."""
        node = self.query(_CHECKS, key={"path": asset.split("/")})["assetNodeOrError"]
        return {
            check["name"]: check["executionForLatestMaterialization"]["evaluation"]
            for check in node["assetChecksOrError"]["checks"]
            if (check["executionForLatestMaterialization"] or {}).get("evaluation")
        }

    def wait_for_backfill(self, backfill: str, *, seconds: float) -> dict[str, Any]:
        """The backfill when it has ended, however it has."""

        def ended() -> dict[str, Any] | None:
            (found,) = (one for one in self.backfills() if one["id"] == backfill)
            running = {"REQUESTED", "CANCELING", "FAILING"}
            return None if found["status"] in running else found

        return wait_for(f"the end of the backfill {backfill}", ended, seconds=seconds)

    def wait_for_run(self, run: str, *, seconds: float) -> dict[str, Any]:
        """The run when it has ended, however it has."""

        def ended() -> dict[str, Any] | None:
            found = next((one for one in self.runs() if one["runId"] == run), None)
            over = {"SUCCESS", "FAILURE", "CANCELED"}
            return found if found and found["status"] in over else None

        return wait_for(f"the end of the run {run}", ended, seconds=seconds)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def served(profile: Path, home: Path | None = None) -> Iterator[Server]:
    """`quadmix --profile PROFILE ui` while the block runs.

    Args:
        profile: the YAML file of the settings.
        home: the folder of a Dagster instance; None is the profile's own.

    Raises:
        AssertionError: the process ends before it serves; the message is the end of its log.
    """
    port = free_port()
    log = (home or profile.parent) / "server.log"
    command = [sys.executable, "-m", "quadmix_assets.cli", "--profile", str(profile), "ui"]
    environment = clean_environment()
    if home is not None:
        environment["DAGSTER_HOME"] = str(home)
    found = [str(_IMPATIENT), environment.get("PYTHONPATH")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in found if path)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=profile.parent,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(f"http://127.0.0.1:{port}", log)

    def up() -> bool | None:
        assert process.poll() is None, log.read_text()[-3_000:]
        try:
            server.query("{ version }")
        except (urllib.error.URLError, ConnectionError):
            return None
        return True

    try:
        wait_for(f"an answer of {server.url}", up, seconds=300)
        yield server
    finally:
        _stop(process)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Interrupt the process group, as Ctrl-C does; end it the hard way if it does not obey."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
