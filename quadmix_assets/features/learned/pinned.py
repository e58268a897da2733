"""The base of criteria and domain classifiers: fitted once, then saved, pinned and loaded.

A saved model is a folder: `card.json` (version of the code, settings it was fitted with) and the
files of its kind. Equal models have equal bytes.
"""

import json
from abc import ABC
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel
from upath import UPath

from quadmix_assets.features.inference import Runtime

CARD = "card.json"

SettingsT = TypeVar("SettingsT", bound=BaseModel)


class NotFittedError(RuntimeError):
    """A model that learns from data is used before `fit` or `load`."""


class StaleModelError(ValueError):
    """A saved model was fitted with other settings, or by other code, than it is loaded with."""


class Fitted(ABC, Generic[SettingsT]):
    """A model: its settings, and what it learned with them.

    Subclasses that learn something save it as files: `_files` returns them, `_restore` reads them.
    """

    code_version: ClassVar[str]
    """Changed whenever equal settings and data give other results than before."""

    def __init__(self, settings: SettingsT, runtime: Runtime | None = None) -> None:
        """Make a model that has learned nothing yet; `fit` it, or use `load` instead."""
        self.settings = settings
        self.runtime = runtime or Runtime()

    def _files(self) -> dict[str, bytes]:
        """Name -> content of the files that hold what was learned; empty if nothing is learned."""
        return {}

    def _restore(self, files: Mapping[str, bytes]) -> None:
        """Load what was learned from the files that `_files` returned."""

    def _pin(self, card: Mapping[str, Any]) -> None:
        """Restore from a saved card what `fit` looked up, such as the commit of a checkpoint."""

    def _card(self) -> dict[str, Any]:
        # Without what does not change the scores: a change of these needs no new fit.
        settings = self.settings.model_dump(mode="json", exclude={"name", "weighed"})
        return {"version": self.code_version, "settings": settings}

    def _card_bytes(self) -> bytes:
        return json.dumps(self._card(), indent=2, sort_keys=True).encode() + b"\n"

    def save(self, folder: Path | UPath) -> None:
        """Write the card and the files of this model into `folder`, which is created if missing.

        Raises:
            NotFittedError: there is nothing to save yet.
        """
        files = {CARD: self._card_bytes(), **self._files()}
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)

    @classmethod
    def load(
        cls, settings: SettingsT, folder: Path | UPath, runtime: Runtime | None = None
    ) -> Self:
        """Read back what `save` wrote.

        Raises:
            FileNotFoundError: `folder` holds no such model.
            StaleModelError: it was fitted with other settings or by other code.
        """
        model = cls(settings, runtime)
        saved = json.loads((folder / CARD).read_bytes())
        model._pin(saved)
        expected = model._card()
        if saved != expected:
            raise StaleModelError(
                f"{folder / CARD}: the saved model differs from what the settings ask for "
                f"({_differences(saved, expected)}): fit it again, or restore the settings"
            )
        names = [file.name for file in folder.iterdir() if file.name != CARD]
        model._restore({name: (folder / name).read_bytes() for name in sorted(names)})
        return model


def _differences(saved: dict[str, Any], expected: dict[str, Any]) -> str:
    old, new = ({**card, **card.get("settings", {})} for card in (saved, expected))
    old.pop("settings", None), new.pop("settings")
    return ", ".join(
        f"{key}: saved {old.get(key)!r}, expected {new.get(key)!r}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    )
