"""Has the daemon of a served UI look at backfills every two seconds instead of every thirty.

Python imports this module at its start where the folder is on PYTHONPATH. Dagster has no setting
for the interval, and a backfill waits for it once per stage of the graph, so that the flows would
spend most of their time on it. Nothing but the waiting differs.
"""

import sys

if "dagster._daemon" in sys.orig_argv:
    from dagster._daemon import controller

    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 2
