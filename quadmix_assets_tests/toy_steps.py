"""A run whose steps are processes of their own: `python -m quadmix_assets_tests.toy_steps`."""

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


@dg.job(executor_def=steps_in_processes)
def toy() -> None:
    """One step."""
    slow()


if __name__ == "__main__":
    with dg.DagsterInstance.get() as instance:
        sys.exit(not dg.execute_job(dg.reconstructable(toy), instance).success)
