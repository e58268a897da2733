"""The errors of outputs that are not there, or are not what was written."""

from pathlib import Path

from upath import UPath

from quadmix_assets.outputs import (
    FINAL_MIX,
    LANGUAGE_MODEL,
    MIX_EXPORT,
    MIXES,
    PER_BATCH,
    QUARANTINE,
    RAW_SHARDS,
    is_per_shard,
)


class MissingOutputError(FileNotFoundError):
    """An output that a step reads is missing, incomplete, or made from other inputs."""


class DamagedOutputError(Exception):
    """An output of the lake is not what was written: bits have changed, or it was cut or replaced.

    Attributes:
        path: of the file.
        found: what differs.
        has_checksum: whether there is a checksum that it differs from; without one, nothing tells
            whether the file is whole, and it is not read either.
        asset: the folder of the lake that the file is in.
        partition: the name of the file without its suffix, which is the partition of assets that
            have partitions.
    """

    def __init__(
        self, path: str, found: str, has_checksum: bool, asset: str, partition: str
    ) -> None:
        """An error that can be sent to another process: it is made of its arguments alone."""
        super().__init__(path, found, has_checksum, asset, partition)
        self.path = path
        self.found = found
        self.has_checksum = has_checksum
        self.asset = asset
        self.partition = partition

    def __str__(self) -> str:
        """One line: what is damaged, and how it is made again."""
        made_by = asset_in_words(self.asset, self.partition)
        if not self.has_checksum:
            return (
                f"{self.path} has no checksum that it could be verified by: {self.found}. An "
                f"earlier version or another program wrote it: materialise {made_by} again, or "
                "delete the file and `quadmix run --resume`"
            )
        return (
            f"{self.path} is damaged: {self.found}. `quadmix verify --delete` deletes what is "
            "damaged, and `quadmix run --resume` makes it again; or materialise "
            f"{made_by} in the UI"
        )


def asset_in_words(asset: str, partition: str) -> str:
    """An asset as errors name it, with the partition that they mean if it has partitions.

    Args:
        asset: the folder of the lake that its outputs are in.
        partition: the name of the file without its suffix.
    """
    # Written beside an asset by the same step.
    beside = {QUARANTINE: RAW_SHARDS, MIX_EXPORT: FINAL_MIX}
    folder, slash, last = asset.rpartition("/")
    name = f"{folder}{slash}{beside.get(last, last)}"
    is_partitioned = is_per_shard(name) or name in PER_BATCH
    return f"the asset {name!r}" + (f" (partition {partition!r})" if is_partitioned else "")


def asset_name(folder: Path | UPath) -> str:
    """The name of the asset that fills a folder, which may lie anywhere."""
    parts = folder.parts
    # A model is a folder of its own.
    if len(parts) >= 4 and (parts[-4], parts[-2]) == (MIXES, LANGUAGE_MODEL):
        parts = parts[:-1]
    return "/".join(parts[-3:]) if len(parts) >= 3 and parts[-3] == MIXES else parts[-1]


def damaged(path: Path | UPath, found: str, asset: str | None = None) -> DamagedOutputError:
    """The error of the damaged file `<lake>/<asset>/<name>`, or of one deeper in an asset's folder.

    Args:
        path: of the file.
        found: what differs.
        asset: None stands for the folder that the file is in.
    """
    return DamagedOutputError(str(path), found, True, asset or asset_name(path.parent), path.stem)


def without_checksum(path: Path | UPath, found: str) -> DamagedOutputError:
    """The error of the file `<lake>/<asset>/<name>`, which has no checksum."""
    return DamagedOutputError(str(path), found, False, asset_name(path.parent), path.stem)
