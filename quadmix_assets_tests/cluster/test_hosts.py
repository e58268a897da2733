"""Hosts of their own: they reach each other by name, and a power cut takes one away."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quadmix_assets_tests.cluster.hosts import Hosts, network, reason_to_skip
from quadmix_assets_tests.processes import until

_PORT = 8000
_SERVE = ["python3", "-m", "http.server", str(_PORT)]


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    if (reason := reason_to_skip()) is not None:
        pytest.skip(reason)
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "quadmix.yaml").write_text("seed: 1\n")
    with network(Hosts(tmp_path / "project", tmp_path / "hosts")) as hosts:
        hosts.add("one", "two")
        yield hosts


def answers(hosts: Hosts, name: str) -> bool:
    try:
        socket.create_connection((hosts[name].address, _PORT), timeout=0.5).close()
    except OSError:
        return False
    return True


def test_hosts_have_names_and_folders_of_their_own(hosts: Hosts, tmp_path: Path) -> None:
    hosts.run("one", _SERVE)
    assert until(lambda: answers(hosts, "one")), hosts.words()
    assert not answers(hosts, "two")
    script = (
        "import os, socket; socket.create_connection(('one', 8000), 5);"
        "print(socket.gethostname(), os.listdir('/tmp'), os.getcwd(), os.listdir('.'))"
    )
    hosts.run("two", [sys.executable, "-c", script])
    expected = "two [] /opt/project ['quadmix.yaml']"
    assert until(lambda: expected in hosts["two"].log.read_text()), hosts.words()


def test_a_power_cut_takes_a_host_away(hosts: Hosts) -> None:
    hosts.run("one", _SERVE)
    assert until(lambda: answers(hosts, "one")), hosts.words()
    hosts["one"].cut_off()
    assert not answers(hosts, "one")
    hosts.add("three")
    hosts.run("three", _SERVE)
    assert until(lambda: answers(hosts, "three")), hosts.words()
