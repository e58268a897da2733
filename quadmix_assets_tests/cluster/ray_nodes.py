"""A Ray cluster of several nodes on this machine, each with one CPU and little memory."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_STORE_BYTES = 100_000_000


@contextmanager
def ray_nodes(n: int, *, jobs_api: bool = False) -> Iterator[Any]:
    """A running cluster, which RAY_ADDRESS names and this process is connected to on demand.

    The nodes are told where no modules lie: their processes have those that PYTHONPATH names only
    if it is handed on to them. With `jobs_api` the cluster takes jobs at its `webui_url`.

    The test is skipped where Ray is not installed. RAY_NODES_OF_TESTS changes the number of nodes,
    for machines that are too small for several.
    """
    pytest.importorskip("ray", reason="Ray is not installed (extra `ray`)")
    import ray
    from ray.cluster_utils import Cluster

    n = int(os.environ.get("RAY_NODES_OF_TESTS", n))
    # The names of sockets are short: this folder cannot be in pytest's.
    folder = tempfile.mkdtemp(prefix="ray-")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # Jobs look there for the address of their cluster: others may run on this machine.
        patch.setenv("RAY_TMPDIR", folder)
        cluster = Cluster()
        try:
            with pytest.MonkeyPatch.context() as bare:
                bare.delenv("PYTHONPATH", raising=False)
                for number in range(n):
                    cluster.add_node(
                        num_cpus=1,
                        object_store_memory=_STORE_BYTES,
                        include_dashboard=jobs_api and number == 0,
                        dashboard_agent_listen_port=0,
                    )
            patch.setenv("RAY_ADDRESS", cluster.address)
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()
            shutil.rmtree(folder, ignore_errors=True)
