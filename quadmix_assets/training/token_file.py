"""Writes and reads token files: tokenised documents that all proxies of a machine memory-map.

A token file is a local folder with `tokens.npy` (all documents end to end, unsigned 16-bit where
the vocabulary allows it, else 32-bit) and `offsets.npy` (D + 1 int64: document i is
tokens[offsets[i]:offsets[i + 1]]). Both are plain NumPy files.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType

import numpy as np

from quadmix_assets.store.temporaries import temporary_file

TOKENS_FILE = "tokens.npy"
OFFSETS_FILE = "offsets.npy"
PathLike = str | os.PathLike[str]


class TokenFileError(ValueError):
    """A folder does not hold a usable token file."""


def token_dtype(vocab_size: int) -> np.dtype:
    """The smallest of uint16 and uint32 that holds every token id."""
    return np.dtype(np.uint16 if vocab_size <= 1 << 16 else np.uint32)


class TokenFile:
    """Read access to a token file; it is memory-mapped, so only tokens that are read are loaded."""

    def __init__(self, tokens: np.ndarray, offsets: np.ndarray) -> None:
        self.tokens = tokens
        self.offsets = offsets

    @classmethod
    def open(cls, folder: PathLike) -> "TokenFile":
        """Open the token file in a local folder.

        Raises:
            TokenFileError: a file is missing, or the two do not belong together.
        """
        arrays = []
        for name in (TOKENS_FILE, OFFSETS_FILE):
            path = Path(folder) / name
            if not path.is_file():
                raise TokenFileError(
                    f"{path}: not there; a token file is a folder with {TOKENS_FILE} and "
                    f"{OFFSETS_FILE}: write it again"
                )
            # NumPy cannot map a file without data, which a token file of no tokens has.
            empty = path.stat().st_size == _header_length(path)
            arrays.append(np.load(path, mmap_mode=None if empty else "r"))
        tokens, offsets = arrays
        if offsets.ndim != 1 or len(offsets) == 0 or offsets[-1] != len(tokens):
            raise TokenFileError(
                f"{folder}: {OFFSETS_FILE} does not end at the {len(tokens)} tokens of "
                f"{TOKENS_FILE}; the two come from different writes: write the token file again"
            )
        return cls(tokens, np.asarray(offsets))

    def __len__(self) -> int:
        """Number of documents."""
        return len(self.offsets) - 1

    def __getitem__(self, document: int) -> np.ndarray:
        """The tokens of one document."""
        return self.tokens[self.offsets[document] : self.offsets[document + 1]]

    @cached_property
    def n_tokens(self) -> np.ndarray:
        """Tokens of every document, (D,) int64."""
        return np.diff(self.offsets)


class TokenFileWriter:
    """Writes a token file document by document in bounded memory; use it as a context manager.

    The files get their final names when the block ends without an error.
    """

    def __init__(self, folder: PathLike, vocab_size: int) -> None:
        self._folder = Path(folder)
        self._vocab_size = vocab_size
        self._dtype = token_dtype(vocab_size)
        self._lengths: list[np.ndarray] = []
        self._n_tokens = 0

    def __enter__(self) -> "TokenFileWriter":
        """Create a temporary file in the folder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._open = ExitStack()
        self._temporary, self._file = self._open.enter_context(
            temporary_file(self._folder / TOKENS_FILE)
        )
        self._write_header()
        return self

    def append(self, documents: Sequence[np.ndarray | Sequence[int]]) -> None:
        """Add documents, each a sequence of token ids."""
        lengths = np.fromiter((len(d) for d in documents), np.int64, len(documents))
        if len(documents):
            self.append_flat(np.concatenate([np.asarray(d, np.int64) for d in documents]), lengths)

    def append_flat(self, tokens: np.ndarray, lengths: np.ndarray) -> None:
        """Add documents as their concatenated tokens and the number of tokens of each.

        Raises:
            ValueError: the lengths do not add up, or an id is outside the vocabulary.
        """
        tokens = np.asarray(tokens)
        lengths = np.asarray(lengths, np.int64)
        if lengths.sum() != tokens.size:
            raise ValueError(f"the lengths add up to {lengths.sum()}, not {tokens.size} tokens")
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < self._vocab_size:
            raise ValueError(
                f"token ids run from {tokens.min()} to {tokens.max()}; the vocabulary has "
                f"{self._vocab_size}: use the tokenizer that the token file was opened with"
            )
        self._file.write(tokens.astype(self._dtype).tobytes())
        self._lengths.append(lengths)
        self._n_tokens += tokens.size

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Move the files into place, or delete them after an error."""
        with self._open:
            if kind is None:
                self._write_header()
                self._file.flush()
                self._finish()

    def _finish(self) -> None:
        lengths = np.concatenate([np.zeros(1, np.int64), *self._lengths])
        with temporary_file(self._folder / OFFSETS_FILE) as (offsets, file):
            np.save(file, np.cumsum(lengths))
            file.flush()
            self._temporary.replace(self._folder / TOKENS_FILE)
            offsets.replace(self._folder / OFFSETS_FILE)

    def _write_header(self) -> None:
        # NumPy pads its header so that the first axis may grow to any length in place.
        self._file.seek(0)
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self._n_tokens,),
        }
        np.lib.format.write_array_header_1_0(self._file, header)


def _header_length(path: Path) -> int:
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        return file.tell()
