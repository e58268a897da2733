"""The lock has the versions of the constraints, each with hashes."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_lock_has_a_hash_for_every_pinned_version() -> None:
    lock = ROOT / "requirements.lock"
    if not lock.is_file():
        pytest.skip("the package was installed without its checkout")
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.M))
    locked = {}
    for entry in re.split(r"^(?=[\w-])", lock.read_text(), flags=re.M):
        found = re.match(r"([\w.-]+)==(\S+)", entry)
        if found:
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), f"{found[1]} has no hash"
            locked[_normal(found[1])] = found[2]
    assert locked == {_normal(name): version for name, version in pins.items()}


def _normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()
