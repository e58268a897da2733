"""Checkpoints of a stack in training, so that a killed training resumes."""

import io
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from upath import UPath

from quadmix_assets.store import carded_file, delete_carded, read_carded, read_reusable


@dataclass
class Pace:
    """When to save: `seconds` after the last time, or later if saving takes long."""

    seconds: float
    _last: float = field(default_factory=time.monotonic)
    _cost: float = 0.0

    @property
    def is_due(self) -> bool:
        """Whether to save now: `seconds` have passed, and saving takes at most 1/20 of the time."""
        return time.monotonic() - self._last >= max(self.seconds, 20 * self._cost)

    def saved(self, *, since: float) -> None:
        """What was begun at this time of the monotonic clock has been saved."""
        self._last = time.monotonic()
        self._cost = self._last - since


@dataclass
class Checkpoint:
    """The checkpoint file of one stack.

    Attributes:
        path: of the file.
        key: a hash of the stack's inputs; a checkpoint with another key is ignored.
        seconds: least time between two checkpoints; longer if writing one takes long.
    """

    path: UPath
    key: str
    seconds: float

    def __post_init__(self) -> None:
        """Begin to count."""
        self._pace = Pace(self.seconds)

    @property
    def folder(self) -> UPath:
        """For a checkpoint of many files, by what trains without `save` and `load`."""
        return self.path.with_suffix(".checkpoint")

    @property
    def is_due(self) -> bool:
        """Whether to save now, see `Pace`."""
        return self._pace.is_due

    def save(self, state: dict[str, Any]) -> None:
        """Write a state, atomically replacing the previous one."""
        start = time.monotonic()
        with carded_file(self.path) as file:
            torch.save({"key": self.key, "state": state}, file)
        self._pace.saved(since=start)

    def load(self) -> dict[str, Any] | None:
        """The last state; None if there is none with this key, or it cannot be used."""
        content = read_reusable(lambda: read_carded(self.path), "the stack is trained again")
        if content is None:
            return None
        try:
            saved = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except Exception:  # torch raises many classes of errors for files of other versions
            return None
        return saved["state"] if saved.get("key") == self.key else None

    def remove(self) -> None:
        """Delete the file and the folder, if they are there."""
        delete_carded(self.path)
        if self.folder.exists():
            self.folder.fs.rm(self.folder.path, recursive=True)
