"""Where a token file is in the lake; without torch, as settings lead here."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from upath import UPath

from quadmix_assets.store import Store


@dataclass(frozen=True)
class TokenSource:
    """Where in the lake a token file is, for machines that do not have a local copy of it.

    Attributes:
        lake: the root of the lake.
        asset: the folder in the lake that a local copy is made of.
        within: the token file's folder, relative to that of the asset.
    """

    lake: UPath
    asset: str
    within: str

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """The token file's folder on this machine, for the duration of the block.

        Raises:
            MissingOutputError: the asset has not been written, or is incomplete.
            DamagedOutputError: a file is not what was written.
        """
        with Store(self.lake).local_folder(self.lake / self.asset) as folder:
            yield folder / self.within
