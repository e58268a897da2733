"""Writes training curves as TensorBoard files, one run per proxy."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from quadmix_assets.outputs import TENSORBOARD
from quadmix_assets.store import Store, is_local

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from quadmix_assets.training.loop import StackProgress


def tensorboard_folder(store: Store) -> Path:
    """The folder of the lake for TensorBoard files.

    Raises:
        ValueError: tensorboard is not installed, or the lake is not on a local disk.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise ValueError(
            "proxies.tensorboard is on, but the package tensorboard is not installed: "
            "pip install 'quadmix-assets[tensorboard]'"
        )
    if not is_local(store.root):
        raise ValueError(
            f"proxies.tensorboard is on, but the lake is at {store.root}: TensorBoard files are "
            "written to local lakes only"
        )
    return Path(str(store.root / TENSORBOARD))


class TensorBoardLog:
    """Writes losses and learning rates of the proxies of one stack.

    Args:
        folder: of all runs; sample_id 7 becomes the run `theta-00007`.
        sample_ids: (K,) of the proxies.
    """

    def __init__(self, folder: Path, sample_ids: Sequence[int]) -> None:
        self._folders = [folder / f"theta-{sample_id:05d}" for sample_id in sample_ids]
        self._writers: list[SummaryWriter] = []

    def add(self, progress: StackProgress) -> None:
        """Write the mean training losses since the last call."""
        if not self._writers:
            # Imported here, because it takes a second and is off by default.
            from torch.utils.tensorboard import SummaryWriter

            # purge_step hides what an interrupted run wrote after its last checkpoint.
            self._writers = [
                SummaryWriter(str(folder), purge_step=progress.step + 1) for folder in self._folders
            ]
        for writer, loss in zip(self._writers, progress.losses, strict=True):
            if np.isfinite(loss):
                writer.add_scalar("train/loss_nats", loss, progress.step)
                writer.add_scalar("train/learning_rate", progress.learning_rate, progress.step)

    def close(self, losses: Sequence[Mapping[str, float | None]], step: int) -> None:
        """Write the losses on target sets, {target: nats} of each proxy, and close the files."""
        for writer, of_proxy in zip(self._writers, losses, strict=True):
            for target, loss in of_proxy.items():
                if loss is not None:
                    writer.add_scalar(f"target/{target}", loss, step)
            writer.close()
