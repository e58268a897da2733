"""A run of toys in a process of its own: `python -m quadmix_assets_tests.toy_run ASSETS...`.

Prints what happens. Exit status: 0 for success, 1 for failure, 130 or 143 after a signal.
"""

import hashlib
import os
import sys
import time
from pathlib import Path

import dagster as dg

from quadmix_assets.defs.retries import RETRY_ONCE
from quadmix_assets.healing import cancel_own_runs
from quadmix_assets.in_process import execute_here
from quadmix_assets.interrupts import Interrupts
from quadmix_assets_tests.processes import say


@dg.asset(pool="training", retry_policy=RETRY_ONCE)
def slow() -> None:
    """Sleeps."""
    say(f"slow starts in {os.getpid()}")
    time.sleep(600)


@dg.asset(retry_policy=RETRY_ONCE)
def deaf() -> None:
    """Swallows one interrupt, as a callback of a C library does."""
    say(f"deaf starts in {os.getpid()}")
    try:
        time.sleep(600)
    except dg.DagsterExecutionInterruptedError:
        say("swallowed")
    time.sleep(600)


@dg.asset(pool="training", retry_policy=RETRY_ONCE)
def stuck() -> None:
    """Is in a call that hears no signal, as one into a C++ library."""
    say(f"stuck starts in {os.getpid()}")
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)


@dg.asset
def stubborn() -> None:
    """Goes on to its end, whatever arrives."""
    say(f"stubborn starts in {os.getpid()}")
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        try:
            time.sleep(0.1)
        except dg.DagsterExecutionInterruptedError:
            say("swallowed")


@dg.asset(retry_policy=RETRY_ONCE)
def breaks_once() -> None:
    """Fails at its first attempt."""
    mark = Path(os.environ["DAGSTER_HOME"], "broken")
    if not mark.exists():
        mark.touch()
        raise ValueError("the first attempt")


definitions = dg.Definitions([slow, deaf, stuck, stubborn, breaks_once])


def main() -> int:
    """Materialise the named assets, one run each."""
    job = definitions.resolve_implicit_global_asset_job_def()
    interrupts = Interrupts(cancel_own_runs)
    try:
        with interrupts, dg.DagsterInstance.get() as instance:
            for name in sys.argv[1:]:
                missed = execute_here(job, instance, [dg.AssetKey(name)], partition=None, tags={})
                interrupts.raise_if_received()
                say(f"{name} {'failed' if missed else 'succeeded'}")
                if missed:
                    return 1
    except KeyboardInterrupt:
        return 128 + (interrupts.received() or 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
