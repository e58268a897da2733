"""Kills `quadmix run` again and again, takes it up as a user would, and compares the result.

`python -m quadmix_assets_tests.kills --kills 50 --seed 0` prints a table of what was tried.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from quadmix_assets.hashing import hash_bytes
from quadmix_assets.outputs import (
    BENCHMARK_RESULTS,
    CLIMB_PROXIES,
    COMPARISON_TABLE,
    DOMAIN_LABELS,
    DOMAIN_PROXIES,
    DUPLICATE_SIGNATURES,
    FINAL_MIX,
    HELD_OUT_SETS,
    LANGUAGE_MODEL,
    MIX_COMPARISON,
    MIX_EXPORT,
    MIX_MANIFEST,
    MIX_VERSIONS,
    MIXES,
    NEAR_DUPLICATES,
    OPTIMAL_PARAMS,
    OPTIMUM_CHECK,
    PROXY_METRICS,
    PROXY_POOL,
    PROXY_READS,
    PROXY_REPEATS,
    RAW_SHARDS,
    REGRESSOR,
    SAMPLED_SUBSET,
    SCORED_SHARDS,
    SELECTION_RULE,
    VERIFICATION,
)
from quadmix_assets.store.temporaries import is_temporary
from quadmix_assets_tests.conftest import instance_in, write_profile
from quadmix_assets_tests.every_stage import EVERY_STAGE
from quadmix_assets_tests.processes import say
from quadmix_assets_tests.ui.pool import clean_environment

UNKIND = Path(__file__).with_name("unkind")
# What decides on the mixes and compares them; all of it is the same, byte for byte, however it was
# made.
COMPARED = (
    RAW_SHARDS, SCORED_SHARDS, DOMAIN_LABELS, DUPLICATE_SIGNATURES, NEAR_DUPLICATES, PROXY_POOL,
    SAMPLED_SUBSET, PROXY_METRICS, PROXY_READS, PROXY_REPEATS, DOMAIN_PROXIES, REGRESSOR,
    OPTIMAL_PARAMS, VERIFICATION, OPTIMUM_CHECK, MIX_COMPARISON, HELD_OUT_SETS,
    COMPARISON_TABLE,
)  # fmt: skip
# Of every mix; its links name runs and times.
COMPARED_OF_A_MIX = (
    OPTIMAL_PARAMS, CLIMB_PROXIES, SELECTION_RULE, FINAL_MIX, MIX_EXPORT, MIX_MANIFEST,
    MIX_VERSIONS, LANGUAGE_MODEL, BENCHMARK_RESULTS,
)  # fmt: skip
_MOMENTS = ("before", "after")


@dataclass(frozen=True)
class Start:
    """One start of the command.

    Attributes:
        point: where it was to be killed, as unkind/sitecustomize.py says it; None: nowhere.
        status: its exit status; -9 if it was killed.
        log: what it wrote.
    """

    point: str | None
    status: int
    log: str


@dataclass(frozen=True)
class KilledProject:
    """A tiny project whose whole graph is run by the command, in processes that are killed.

    Attributes:
        folder: holds everything.
    """

    folder: Path

    @property
    def profile(self) -> Path:
        """The YAML file of the settings."""
        return self.folder / "tiny.yaml"

    @property
    def lake(self) -> Path:
        """The folder of all outputs."""
        return self.folder / "data" / "lake" / "tiny"

    @property
    def instance(self) -> Path:
        """The folder of the Dagster instance."""
        return self.folder / "data" / "dagster" / "tiny"

    def start(self, point: str | None, *, resume: bool = True, seconds: float = 600.0) -> Start:
        """Run the command until it ends or kills itself.

        Raises:
            subprocess.TimeoutExpired: it has not ended in `seconds`.
        """
        mark = self.folder / "killed"
        mark.unlink(missing_ok=True)
        environment = clean_environment()
        if point is not None:
            environment |= {"UNKIND": point, "UNKIND_MARK": str(mark)}
            found = [str(UNKIND), environment.get("PYTHONPATH")]
            environment["PYTHONPATH"] = os.pathsep.join(path for path in found if path)
        command = [sys.executable, "-m", "quadmix_assets.cli", "--profile", str(self.profile)]
        result = subprocess.run(
            [*command, "run", *(["--resume"] if resume else [])],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
            start_new_session=True,
        )
        return Start(point, result.returncode, result.stdout)

    def outputs(self) -> dict[str, str]:
        """The hash of every file that is compared, by its path in the lake."""
        return outputs_of(self.lake)

    def left_over(self) -> list[str]:
        """What killed processes have left: temporaries, runs without an end, slots in use."""
        found = [str(path) for path in self.folder.rglob("*") if is_temporary(path.name)]
        with instance_in(self.instance), dg.DagsterInstance.get() as instance:
            found += [
                f"the run {run.run_id} is {run.status.value}"
                for run in instance.get_runs()
                if not run.is_finished
            ]
            storage = instance.event_log_storage
            for pool in storage.get_concurrency_keys():
                info = storage.get_concurrency_info(pool)
                found += [f"{slot} in {pool}" for slot in info.claimed_slots]
                found += [f"{step} waits for {pool}" for step in info.pending_steps]
        found += [str(path) for path in self.instance.glob("run_locks/*")]
        return found


def outputs_of(lake: Path) -> dict[str, str]:
    """The hash of every file of COMPARED and COMPARED_OF_A_MIX, by its path in the lake.

    Cards are left out: they know the content that a file had before as well.
    """
    of_mixes = [mix / what for mix in (lake / MIXES).iterdir() for what in COMPARED_OF_A_MIX]
    folders = [*(lake / asset for asset in COMPARED), *of_mixes]
    found = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    files = (path for path in found if path.suffix != ".card")
    return {path.relative_to(lake).as_posix(): hash_bytes(path.read_bytes()) for path in files}


def new_project(folder: Path, **changes: Any) -> KilledProject:
    """A project of which nothing is made yet; `changes` of its settings by section."""
    write_profile(folder, **changes)
    return KilledProject(folder)


def random_points(seed: int) -> Iterator[str]:
    """Points without an end, a fifth of them of each kind."""
    rng = random.Random(seed)
    pooled = (
        *(SCORED_SHARDS, DOMAIN_LABELS, PROXY_METRICS, PROXY_REPEATS, DOMAIN_PROXIES),
        *(VERIFICATION, OPTIMUM_CHECK, CLIMB_PROXIES, LANGUAGE_MODEL),
    )
    while True:
        kinds = [
            f"rename {rng.randint(1, 40)} {rng.choice(_MOMENTS)}",
            f"event {rng.randint(1, 150)} {rng.choice(_MOMENTS)}",
            f"rename 1 {rng.choice(_MOMENTS)} {rng.choice(pooled)}",
            f"report {rng.randint(1, 4)} {rng.choice(_MOMENTS)}",
            f"seconds {rng.uniform(2.0, 30.0):.1f} before",
        ]
        rng.shuffle(kinds)
        yield from (f"kill {kind}" for kind in kinds)


def kill_and_compare(
    folder: Path, n_kills: int, seed: int
) -> tuple[Counter[str], dict[str, list[str]]]:
    """Kill `n_kills` starts, on as many lakes as that takes, and complete each lake.

    Returns:
        How many kills there were of each kind, and per lake what differs from an undisturbed one
        or was left over.
    """
    undisturbed = new_project(folder / "undisturbed", **EVERY_STAGE)
    assert undisturbed.start(None, resume=False).status == 0
    expected = undisturbed.outputs()
    points = random_points(seed)
    killed: Counter[str] = Counter()
    lost: dict[str, list[str]] = {}
    while killed.total() < n_kills:
        lake = f"lake-{len(lost)}"
        project = new_project(folder / lake, **EVERY_STAGE)
        done = False
        while not done:
            point = next(points) if killed.total() < n_kills else None
            start = project.start(point)
            done = start.status == 0
            if start.status == -9 and point is not None:
                killed[_kind(point)] += 1
            elif not done:
                raise RuntimeError(f"{lake}: exit status {start.status} at {point}:\n{start.log}")
            say(f"{lake}: {point}: {'completed' if done else 'killed'}, {killed.total()} kills")
        lost[lake] = [*differences(expected, project.outputs()), *project.left_over()]
        shutil.rmtree(project.folder)
    return killed, lost


def differences(expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """The files that one of two lakes has alone, or that differ."""
    names = sorted(expected.keys() | found.keys())
    return [name for name in names if expected.get(name) != found.get(name)]


def _kind(point: str) -> str:
    _, kind, _, moment, *part = point.split()
    places = {
        "rename": f"{moment} a rename{' in a pooled step' if part else ''}",
        "event": f"{moment} an event is stored",
        "report": "while proxies train",
        "seconds": "at a random moment",
    }
    return places[kind]


def main() -> int:
    """Print a table of kills; the exit status is 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        killed, lost = kill_and_compare(Path(folder), options.kills, options.seed)
    minutes = (time.monotonic() - start) / 60
    say(f"\n{killed.total()} kills, {len(lost)} lakes, {minutes:.0f} minutes\n")
    say("| killed | times |\n| --- | --- |")
    for kind, times in sorted(killed.items()):
        say(f"| {kind} | {times} |")
    for lake, names in lost.items():
        say(f"{lake}: {', '.join(names) or 'nothing lost, nothing left over'}")
    return int(any(lost.values()))


if __name__ == "__main__":
    sys.exit(main())
