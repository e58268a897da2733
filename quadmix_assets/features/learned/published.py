"""The base of criteria and domain classifiers that use a published model; pins its checkpoint."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from quadmix_assets.features.inference.checkpoint import (
    MODEL_FILES,
    Checkpoint,
    check_local_copy,
    find_checkpoint,
)
from quadmix_assets.features.learned.pinned import Fitted, SettingsT


class Published(Fitted[SettingsT]):
    """A model whose checkpoint the settings name by `model` and `revision`.

    The saved card identifies the checkpoint that was found: by a commit of the hub, or by a hash of
    the files of a local folder. Loading uses exactly that checkpoint, or raises.
    """

    checkpoint_files: ClassVar[Sequence[str]] = MODEL_FILES
    _checkpoint: Checkpoint | None = None

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint, found at first use.

        Raises:
            CheckpointError: it is not there.
        """
        if self._checkpoint is None:
            self._checkpoint = self._find({})
        return self._checkpoint

    @property
    def folder(self) -> Path:
        """The folder of the checkpoint's files."""
        return self.checkpoint.folder

    def check_local_copy(self) -> None:
        """Check that the checkpoint is there if the settings place it on this machine.

        Raises:
            CheckpointError: it is not there.
        """
        check_local_copy(self.settings.model, self.runtime, self.checkpoint_files)  # type: ignore[attr-defined]

    def _find(self, pinned: Mapping[str, str]) -> Checkpoint:
        return find_checkpoint(
            self.settings.model,  # type: ignore[attr-defined]
            self.settings.revision,  # type: ignore[attr-defined]
            self.runtime,
            files=self.checkpoint_files,
            pinned=pinned,
        )

    def _card(self) -> dict[str, Any]:
        return {**super()._card(), "checkpoint": dict(self.checkpoint.identity)}

    def _pin(self, card: Mapping[str, Any]) -> None:
        self._checkpoint = self._find(card.get("checkpoint", {}))
