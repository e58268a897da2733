"""The errors of outputs that are not there, or are not what was written."""

from pathlib import Path

from upath import UPath


class MissingOutputError(FileNotFoundError):
    """An output that a step reads is missing, incomplete, or made from other inputs."""


class DamagedOutputError(Exception):
    """An output of the lake is not what was written: bits have changed, or it was cut or replaced.

    Attributes:
        path: of the file.
        found: what differs.
        asset: the folder of the lake that the file is in.
        partition: the name of the file without its suffix, which is the partition of assets that
            have partitions.
    """

    def __init__(self, path: str, found: str, asset: str, partition: str) -> None:
        """An error that can be sent to another process: it is made of its arguments alone."""
        super().__init__(path, found, asset, partition)
        self.path = path
        self.found = found
        self.asset = asset
        self.partition = partition

    def __str__(self) -> str:
        """One line: what is damaged, and how it is made again."""
        return (
            f"{self.path} is damaged: {self.found}. `quadmix verify --delete` deletes what is "
            "damaged, and `quadmix run --resume` makes it again; or materialise the asset "
            f"{self.asset!r} (partition {self.partition!r} if it has partitions) in the UI"
        )


def damaged(path: Path | UPath, found: str) -> DamagedOutputError:
    """The error of the damaged file `<lake>/<asset>/<name>`."""
    return DamagedOutputError(str(path), found, path.parent.name, path.stem)
