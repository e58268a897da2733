"""Finds a published checkpoint: in a local folder, in a folder of copies, or on the hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quadmix_assets.hashing import hash_files

if TYPE_CHECKING:
    from quadmix_assets.features.inference.runtime import Runtime

# What a model is made of. Everything else (pickles, other frameworks' weights, code) is neither
# downloaded nor read.
MODEL_FILES = ("*.json", "*.txt", "*.model", "*.safetensors", "*/config.json")


class CheckpointError(ValueError):
    """A checkpoint is not where the settings say, or cannot be used."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on this machine.

    Attributes:
        folder: its files.
        identity: what tells it from another one: the commit on the hub, or a hash of the files.
    """

    folder: Path
    identity: Mapping[str, str]


def find_checkpoint(
    model: str,
    revision: str,
    runtime: Runtime,
    *,
    files: Sequence[str] = MODEL_FILES,
    pinned: Mapping[str, str] | None = None,
) -> Checkpoint:
    """The checkpoint that the settings name.

    `model` is a folder, else it is looked up under `inference.checkpoints` if that is set, else it
    is an id of the hub, whose files come from the local cache or are downloaded.

    Args:
        model, revision: of the settings.
        runtime: resolves paths.
        files: patterns of the files that the model needs.
        pinned: the identity found earlier; a branch is then not looked up again.

    Raises:
        CheckpointError: it is not there; the message says where was looked and what to do.
    """
    folder = _local_folder(model, runtime)
    if folder is not None:
        return Checkpoint(folder, {"content": _content_hash(folder, files)})
    return _from_hub(model, revision, files, pinned or {})


def check_local_copy(model: str, runtime: Runtime, files: Sequence[str]) -> None:
    """Look whether the checkpoint is there, if the settings say that it is on this machine.

    The hub is not asked.

    Raises:
        CheckpointError: it is not there, or its folder holds none of `files`.
    """
    folder = _local_folder(model, runtime)
    if folder is not None and not any(True for pattern in files for _ in folder.glob(pattern)):
        found = ", ".join(sorted(path.name for path in folder.iterdir())) or "no files"
        raise CheckpointError(
            f"{folder}: expected the files of a checkpoint ({', '.join(files)}), found {found}"
        )


def require_safetensors(folder: Path) -> None:
    """Refuse a folder without safetensors: other weights are pickles, which can run code.

    Raises:
        CheckpointError: there are none.
    """
    if any(folder.glob("*.safetensors")):
        return
    found = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    raise CheckpointError(
        f"{folder}: no *.safetensors among {', '.join(found) or 'no files'}. Pickled weights "
        "(.bin, .pt, .pth) are not read, since loading them can run any code: convert them with "
        "model.save_pretrained(folder), or choose a revision that has safetensors"
    )


def _local_folder(model: str, runtime: Runtime) -> Path | None:
    copies = runtime.settings.checkpoints
    place = runtime.resolve(model)
    if "://" not in str(place) and place.is_dir():
        return Path(str(place))
    if copies is not None:
        folder = Path(str(runtime.resolve(copies))) / model
        if not folder.is_dir():
            raise CheckpointError(
                f"{folder} is not there: features.inference.checkpoints is {copies!r}, so that "
                f"nothing is downloaded and {model!r} is expected as a folder below it"
            )
        return folder
    if model.startswith((".", "/", "~")) or "://" in model:
        raise CheckpointError(
            f"{place} is not a folder on this machine: expected the files of a checkpoint there "
            "(config.json, tokenizer.json, model.safetensors)"
        )
    return None


def _from_hub(
    model: str, revision: str, files: Sequence[str], pinned: Mapping[str, str]
) -> Checkpoint:
    from huggingface_hub import snapshot_download

    wanted = pinned.get("commit", revision)
    try:
        folder = Path(snapshot_download(model, revision=wanted, allow_patterns=list(files)))
    except (OSError, ValueError) as error:  # all errors of the hub's client are one or the other
        raise CheckpointError(
            f"{model!r} is no folder here, and it could not be had from the hub at revision "
            f"{wanted!r} ({error}). Correct the id or the revision, or put a copy into a folder "
            "and name it: model: path/to/folder, or features.inference.checkpoints"
        ) from error
    # The cache keeps each commit in a folder of its own, named by the commit.
    return Checkpoint(folder, {"commit": folder.name})


def _content_hash(folder: Path, files: Sequence[str]) -> str:
    found = sorted({path for pattern in files for path in folder.glob(pattern) if path.is_file()})
    return hash_files(folder, [path.relative_to(folder).as_posix() for path in found])
