"""How the UI and the daemon bear many shards and proxies.

    python -m benchmarks.load --shards 100 1000 10000

A small pool is built once. Copies of it are filled with shards, proxies and finished runs, with all
their events, as `benchmarks.grown` does; then `quadmix ui` serves each, with the automation on.
Prints: seconds until pages show their content in Chromium, each in a fresh browser; the slowest
GraphQL queries that the pages send; memory of the server's processes after the pages and minutes
later; how long the ticks of sensors take; size of the instance; and the way of one more shard into
the mix.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import psutil
from playwright.sync_api import Browser, Request
from playwright.sync_api import Error as PageError

from benchmarks.grown import grow
from quadmix_assets.outputs import FINAL_MIX, mix_output
from quadmix_assets_tests.ui.console import Console, new_page
from quadmix_assets_tests.ui.pool import Pool, write_pool
from quadmix_assets_tests.ui.server import NotInTimeError, Server, served, wait_for

DOCUMENTS = mix_output("quadmix", FINAL_MIX)
# What a page is, and a text that it shows once its content is there.
PAGES = {
    "overview": ("/assets/overview?view=overview", "what to do next"),
    "lineage": ("/asset-groups", "Materialize all"),
    "raw_shards, partitions": ("/assets/raw_shards?view=partitions", "shard-00000.parquet"),
    "final_mix": (f"/assets/{DOCUMENTS}?view=overview", "token_share_kept"),
    "runs": ("/runs", "Success"),
    "automation": ("/automation", "watch_overview"),
}
ROLES = {"webserver": "webserver", "_daemon": "daemon", "grpc": "code server"}
_N_SLOWEST = 10
_PAGE_SECONDS = 60.0
_MIXED_SECONDS = 300.0


@dataclass(frozen=True)
class Query:
    """A GraphQL query that a page has sent.

    Attributes:
        page: that sent it.
        name: of its operation.
        seconds: from its first byte sent to the last one received.
        kb: size of the answer.
    """

    page: str
    name: str
    seconds: float
    kb: float


@dataclass(frozen=True)
class Opened:
    """A page that was opened in a fresh browser.

    Attributes:
        seconds: until its content was visible; infinite if it was not in time.
        queries: that were answered by then, and a moment later.
    """

    seconds: float
    queries: Sequence[Query]


def open_page(browser: Browser, server: Server, name: str) -> Opened:
    """Open a page of PAGES."""
    path, text = PAGES[name]
    page = browser.new_page(viewport={"width": 1500, "height": 1000})
    page.set_default_timeout(_PAGE_SECONDS * 1000)
    answered: list[Request] = []
    page.on("requestfinished", lambda request: answered.append(request))
    console = Console(page, server)
    start = time.perf_counter()
    try:
        console.open(path)
        console.see(text)
        seconds = time.perf_counter() - start
        page.wait_for_load_state("networkidle")
    except PageError:
        seconds = float("inf")
    queries = [
        Query(
            name,
            str((request.post_data_json or {}).get("operationName")),
            (request.timing["responseEnd"] - max(request.timing["requestStart"], 0.0)) / 1000,
            request.sizes()["responseBodySize"] / 1000,
        )
        for request in answered
        if "/graphql" in request.url and request.method == "POST"
    ]
    page.close()
    return Opened(seconds, queries)


def memory(pool: Pool) -> dict[str, float]:
    """Resident memory in MiB of the processes that serve a pool, by their role."""
    found: dict[str, float] = {}
    for process in psutil.process_iter():
        try:
            if process.environ().get("DAGSTER_HOME") != str(pool.instance):
                continue
            command, rss = " ".join(process.cmdline()), process.memory_info().rss / 2**20
        except psutil.Error:
            continue
        role = next((role for part, role in ROLES.items() if part in command), None)
        if role is not None:
            found[role] = found.get(role, 0.0) + rss
    return found


def ticks(pool: Pool, since: float) -> dict[str, list[float]]:
    """Seconds of the finished ticks of every sensor since a time."""
    found = {}
    with dg.DagsterInstance.from_config(str(pool.instance)) as instance:
        for state in instance.all_instigator_state():
            seen = instance.get_ticks(state.instigator_origin_id, state.selector_id, after=since)
            seconds = [tick.end_timestamp - tick.timestamp for tick in seen if tick.end_timestamp]
            if seconds:
                found[state.instigator_name] = seconds
    return found


def report(pool: Pool, minutes: float) -> Iterator[str]:
    """Serve a pool, and say what was measured, line by line."""
    start = time.time()
    with served(pool.profile) as server:
        yield f"served after {time.time() - start:.1f} s; instance {_mb(pool.instance):.1f} MB"
        queries: list[Query] = []
        with new_page() as first:
            assert first.context.browser is not None
            for name in PAGES:
                opened = open_page(first.context.browser, server, name)
                queries += opened.queries
                yield f"page {name:<24}{opened.seconds:7.1f} s"
        slowest = {query.name: query for query in sorted(queries, key=lambda each: each.seconds)}
        for query in sorted(slowest.values(), key=lambda each: -each.seconds)[:_N_SLOWEST]:
            yield (
                f"query {query.name:<40}{query.seconds:7.2f} s {query.kb:9.1f} kB, of {query.page}"
            )
        yield f"memory after the pages: {_in_words(memory(pool))}"
        quiet = time.time()
        time.sleep(60 * minutes)
        yield f"memory {minutes:g} minutes later: {_in_words(memory(pool))}"
        yield from _tick_lines("ticks while nothing happens", ticks(pool, quiet))
        dropped = time.time()
        key = pool.drop(pool.spare[0])

        def mixed() -> bool | None:
            return True if key in server.partitions(DOCUMENTS)["materialized"] else None

        try:
            wait_for("the shard in the mix", mixed, seconds=_MIXED_SECONDS, every=5.0)
            yield f"one more shard is in the mix after {time.time() - dropped:.0f} s"
        except NotInTimeError as error:
            yield f"one more shard: {error}"
        time.sleep(60)
        yield from _tick_lines("ticks from its drop on", ticks(pool, dropped))
        yield f"memory at the end: {_in_words(memory(pool))}"
        with dg.DagsterInstance.from_config(str(pool.instance)) as instance:
            n_runs = instance.get_runs_count()
        yield f"instance at the end {_mb(pool.instance):.1f} MB, {n_runs} runs"


def _tick_lines(title: str, found: Mapping[str, Sequence[float]]) -> Iterator[str]:
    for sensor, seconds in sorted(found.items()):
        yield (
            f"{title}: {sensor:<20} {len(seconds):>3}, median {statistics.median(seconds):6.2f} s, "
            f"longest {max(seconds):6.2f} s"
        )


def _in_words(found: Mapping[str, float]) -> str:
    return ", ".join(f"{role} {mib:.0f} MiB" for role, mib in sorted(found.items()))


def _mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--shards", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--proxies", type=int, default=3000)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--runs", type=int, default=300, help="further finished runs")
    parser.add_argument("--minutes", type=float, default=3.0, help="of quiet")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        built = Path(temporary, "built")
        built.mkdir()
        pool = write_pool(built, enabled=True, discovery_seconds=30)
        pool.quadmix("run")
        for n in options.shards:
            copy = Pool(Path(temporary, f"pool-{n}"), pool.spare)
            shutil.copytree(built, copy.folder)
            start = time.perf_counter()
            grown = grow(
                copy,
                n_shards=n,
                n_proxies=options.proxies,
                batch_size=options.batch_size,
                n_runs=options.runs,
            )
            print(f"{n:>6} shards: {grown}, in {time.perf_counter() - start:.0f} s", flush=True)
            for line in report(copy, options.minutes):
                print(f"{n:>6} shards: {line}", flush=True)


if __name__ == "__main__":
    main()
