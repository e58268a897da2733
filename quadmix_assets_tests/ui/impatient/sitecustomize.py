"""Has the daemon of a served UI look at backfills and queued runs every second.

Python imports this module at its start where the folder is on PYTHONPATH. Dagster looks at
backfills every thirty seconds, for which it has no setting, and at queued runs every five; a
backfill waits for both once per stage of the graph, so that the flows would spend most of their
time on it. Nothing but the waiting differs.
"""

import sys

if "dagster._daemon" in sys.orig_argv:
    from dagster._core.run_coordinator import QueuedRunCoordinator
    from dagster._daemon import controller

    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 1
    QueuedRunCoordinator.dequeue_interval_seconds = property(lambda _: 1)  # type: ignore[assignment, method-assign]
