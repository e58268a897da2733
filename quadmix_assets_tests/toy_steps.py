"""A run whose steps are processes of their own: `python -m quadmix_assets_tests.toy_steps`."""

import hashlib
import os
import sys
import time

import dagster as dg

from quadmix_assets.defs.executor import steps_in_processes
from quadmix_assets.defs.retries import RETRY_ONCE
from quadmix_assets_tests.processes import say


@dg.op(pool="training", retry_policy=RETRY_ONCE)
def slow() -> None:
    """Sleeps."""
    say(f"slow is {os.getpid()} of {os.getppid()}")
    time.sleep(600)


@dg.op(pool="training", retry_policy=RETRY_ONCE)
def stuck() -> None:
    """Is in a call that hears no signal, as one into a C++ library."""
    say(f"stuck is {os.getpid()} of {os.getppid()}")
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)


@dg.job(executor_def=steps_in_processes)
def toy() -> None:
    """One step."""
    slow()


@dg.job(executor_def=steps_in_processes)
def stuck_toy() -> None:
    """One step that hears no signal."""
    stuck()


if __name__ == "__main__":
    chosen = stuck_toy if "stuck" in sys.argv else toy
    with dg.DagsterInstance.get() as instance:
        sys.exit(not dg.execute_job(dg.reconstructable(chosen), instance).success)
