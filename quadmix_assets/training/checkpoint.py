"""Puts the state of a stack in training away, so that a killed training goes on where it was."""

import time
from dataclasses import dataclass, field
from typing import Any

import torch
from upath import UPath

from quadmix_assets.store import atomic_file


@dataclass
class Checkpoint:
    """A file for the state of one stack.

    Attributes:
        path: where it lies.
        key: says what is trained: a state of another key is as good as none.
        seconds: time between two states; more where writing one takes long.
    """

    path: UPath
    key: str
    seconds: float
    _last: float = field(default_factory=time.monotonic)
    _cost: float = 0.0

    @property
    def is_due(self) -> bool:
        """Whether it is time for another state: writing takes a twentieth of the time at most."""
        return time.monotonic() - self._last >= max(self.seconds, 20 * self._cost)

    def save(self, state: dict[str, Any]) -> None:
        """Put a state away; it replaces the one before as a whole."""
        start = time.monotonic()
        with atomic_file(self.path) as file:
            torch.save({"key": self.key, "state": state}, file)
        self._last = time.monotonic()
        self._cost = self._last - start

    def load(self) -> dict[str, Any] | None:
        """The last state; None where there is none of this key, or it cannot be read."""
        try:
            with self.path.open("rb") as file:
                saved = torch.load(file, map_location="cpu", weights_only=True)
        except Exception:  # torch raises whatever it stumbles over in a damaged file
            return None
        return saved["state"] if saved.get("key") == self.key else None

    def remove(self) -> None:
        """Delete the state."""
        self.path.unlink(missing_ok=True)
