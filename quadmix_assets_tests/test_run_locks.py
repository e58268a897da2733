"""Locks of processes, with processes that are killed."""

import os
from pathlib import Path

from quadmix_assets.run_locks import (
    hold_abandoned,
    hold_new,
    is_held,
    last_holder,
    try_to_hold,
)
from quadmix_assets_tests.processes import kill_group, started, until

HOLD = """
import sys, time
from pathlib import Path
from quadmix_assets.run_locks import hold_new
lock = hold_new(Path(sys.argv[1]))
time.sleep(600)
"""


def test_a_lock_is_held_until_its_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "run"
    with started(["-c", HOLD, str(path)], tmp_path / "log") as process:
        assert until(path.exists)
        # It is locked from the moment that it is there.
        assert is_held(path)
        assert hold_abandoned(path) is None
        assert try_to_hold(path) is None
        holder = last_holder(path)
        assert holder is not None
        assert holder.pid == process.pid
        assert f"process {process.pid} (`-c {path}`) since 20" in str(holder)
        kill_group(process)
        assert not is_held(path)
        found = hold_abandoned(path)
        assert found is not None
        with found:
            assert is_held(path)
        assert [name.name for name in path.parent.iterdir()] == ["run"]


def test_a_lock_can_be_taken_again_when_it_was_let_go(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    for _ in range(2):
        lock = try_to_hold(path)
        assert lock is not None
        with lock:
            assert try_to_hold(path) is None
            holder = last_holder(path)
            assert holder is not None
            assert holder.pid == os.getpid()


def test_files_that_are_no_locks(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    assert hold_abandoned(path) is None
    assert last_holder(path) is None
    path.write_text("nothing that was written here")
    assert last_holder(path) is None
    lock = hold_new(path)
    assert lock is not None
    with lock:
        assert is_held(path)
