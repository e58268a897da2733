import time
from pathlib import Path

import pytest
import torch
from upath import UPath

from quadmix_assets.training.checkpoint import Checkpoint

STATE = {"step": 3, "parameters": {"a": torch.arange(4.0)}, "failures": {2: "why"}}


def test_a_state_comes_back_under_its_key_alone(tmp_path: Path) -> None:
    path = UPath(tmp_path / "folder" / "state")
    checkpoint = Checkpoint(path, "key", 60.0)
    assert checkpoint.load() is None
    checkpoint.save(STATE)
    found = checkpoint.load()
    assert found is not None
    assert (found["step"], found["failures"]) == (3, {2: "why"})
    assert torch.equal(found["parameters"]["a"], torch.arange(4.0))
    assert Checkpoint(path, "other", 60.0).load() is None
    assert sorted(file.name for file in path.parent.iterdir()) == [".state.card", "state"]
    checkpoint.remove()
    checkpoint.remove()
    assert checkpoint.load() is None


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04" + b"\0" * 100])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    path = UPath(tmp_path / "state")
    path.write_bytes(content)
    assert Checkpoint(path, "key", 60.0).load() is None
    Checkpoint(path, "key", 60.0).save(STATE)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert Checkpoint(path, "key", 60.0).load() is None


def test_it_is_due_at_its_pace_and_more_rarely_where_writing_takes_long(tmp_path: Path) -> None:
    checkpoint = Checkpoint(UPath(tmp_path / "state"), "key", 0.05)
    due = [checkpoint.is_due]
    time.sleep(0.06)
    due.append(checkpoint.is_due)
    checkpoint.save(STATE)
    checkpoint._pace._cost = 10.0
    time.sleep(0.06)
    due.append(checkpoint.is_due)
    assert due == [False, True, False]
