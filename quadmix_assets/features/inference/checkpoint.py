"""Finds a published checkpoint: in a local folder, a folder of copies, or the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quadmix_assets.hashing import hash_files

if TYPE_CHECKING:
    from quadmix_assets.features.inference.runtime import Runtime

# The files of a model. Everything else (pickles, other frameworks' weights, code) is neither
# downloaded nor read.
MODEL_FILES = ("*.json", "*.txt", "*.model", "*.safetensors", "*/config.json")


class CheckpointError(ValueError):
    """A checkpoint is not where the settings say, or cannot be used."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on this machine.

    Attributes:
        folder: its files.
        identity: `{"commit": ...}` on the hub, or `{"content": ...}`, a hash of local files.
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

    `model` is used as a folder if there is one, else as a folder below `inference.checkpoints` if
    that is set, else as an id of the hub, whose files come from the local cache or are downloaded.

    Args:
        model, revision: of the settings.
        runtime: resolves paths.
        files: glob patterns of the files that the model needs.
        pinned: the identity found earlier; its commit is used instead of `revision`.

    Raises:
        CheckpointError: it was not found; the message says where it was searched and what to do.
    """
    folder = _local_folder(model, runtime)
    if folder is not None:
        return Checkpoint(folder, {"content": _content_hash(folder, files)})
    return _from_hub(model, revision, files, pinned or {})


def check_local_copy(model: str, runtime: Runtime, files: Sequence[str]) -> None:
    """Check that a checkpoint is there if the settings place it on this machine.

    The hub is not queried.

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
    path = runtime.resolve(model)
    if "://" not in str(path) and path.is_dir():
        return Path(str(path))
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
            f"{path} is not a folder on this machine: expected the files of a checkpoint there "
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
            f"{model!r} is not a local folder, and the hub did not provide it at revision "
            f"{wanted!r} ({error}). Correct the id or the revision, or put a copy into a folder "
            "and name it: model: path/to/folder, or features.inference.checkpoints"
        ) from error
    # The cache keeps each commit in a folder of its own, named by the commit.
    return Checkpoint(folder, {"commit": folder.name})


def _content_hash(folder: Path, files: Sequence[str]) -> str:
    found = sorted({path for pattern in files for path in folder.glob(pattern) if path.is_file()})
    return hash_files(folder, [path.relative_to(folder).as_posix() for path in found])
