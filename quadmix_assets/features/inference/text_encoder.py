"""Tokenises texts as a checkpoint does, reading only as much of a text as is needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from quadmix_assets.hashing import hash_bytes

# Characters read at first per wanted token; English has four to five characters per token.
_CHARACTERS_PER_TOKEN = 8
# Most tokens that cutting a text may change: those of the last word before the cut.
_MARGIN = 16


class TextEncoder:
    """Texts to token ids, and the special tokens that a model expects around them.

    Attributes:
        tokenizer: without truncation and padding.
        prefix, suffix: special tokens that the tokenizer puts before and after a text.
    """

    def __init__(self, tokenizer: Tokenizer, *, literal: bool = False) -> None:
        """Wrap a tokenizer.

        Args:
            tokenizer: is changed: truncation and padding are switched off.
            literal: the spelling of a special token in a text never becomes that token: it is read
                as ordinary text, or left out. Needed where a document is part of a prompt, which it
                must not end; encoders were trained without it.
        """
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = literal
        self.tokenizer = tokenizer
        self.literal = literal
        self._forbidden = _special_ids(tokenizer) if literal else frozenset()
        self.prefix, self.suffix = _frame(tokenizer)

    @classmethod
    def load(cls, folder: Path, *, literal: bool = False) -> TextEncoder:
        """The tokenizer of a checkpoint.

        Raises:
            ValueError: the folder holds no tokenizer that can be read.
        """
        from transformers import AutoTokenizer

        try:
            loaded = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            tokenizer = loaded.backend_tokenizer
        except Exception as error:  # the library raises whatever a missing converter raises
            raise ValueError(
                f"{folder}: no tokenizer could be loaded ({error}): expected a tokenizer.json, or "
                "the files of a tokenizer that transformers can convert"
            ) from error
        return cls(Tokenizer.from_str(tokenizer.to_str()), literal=literal)

    @cached_property
    def fingerprint(self) -> str:
        """Equal for encoders that give every text the same ids."""
        content = f"{self.literal}\n{self.tokenizer.to_str()}"
        return hash_bytes(content.encode())

    def ids(self, text: str, *, special: bool = False) -> list[int]:
        """All token ids of a prompt, without special tokens around it.

        Args:
            text: part of a prompt, never of a document.
            special: read the spelling of a special token as that token, as chat templates need.
        """
        self.tokenizer.encode_special_tokens = not special
        try:
            return list(self.tokenizer.encode(text, add_special_tokens=False).ids)
        finally:
            self.tokenizer.encode_special_tokens = self.literal

    def first_tokens(self, texts: Sequence[str], max_tokens: int) -> list[np.ndarray]:
        """The first `max_tokens` ids of each text, without special tokens: D arrays of int32.

        The same as encoding whole texts and truncating, but of a long text only a prefix is read:
        it ends at whitespace, and is doubled until it gives more tokens than wanted.
        """
        result: list[np.ndarray] = [np.empty(0, dtype=np.int32)] * len(texts)
        rows = list(range(len(texts)))
        n_characters = max_tokens * _CHARACTERS_PER_TOKEN
        while rows:
            starts = [_start(texts[row], n_characters) for row in rows]
            encodings = self.tokenizer.encode_batch_fast(starts, add_special_tokens=False)
            unfinished = []
            for row, start, encoding in zip(rows, starts, encodings, strict=True):
                ids = encoding.ids
                # In some vocabularies ordinary text can give the id of a special token too.
                if not self._forbidden.isdisjoint(ids):
                    ids = [token for token in ids if token not in self._forbidden]
                if len(start) < len(texts[row]) and len(ids) < max_tokens + _MARGIN:
                    unfinished.append(row)
                else:
                    result[row] = np.array(ids[:max_tokens], dtype=np.int32)
            rows = unfinished
            n_characters *= 2
        return result


def _start(text: str, n_characters: int) -> str:
    """The beginning of a text up to a space; the whole text if there is no place to cut."""
    if len(text) <= n_characters:
        return text
    cut = text.rfind(" ", n_characters // 2, n_characters)
    return text[:cut] if cut >= 0 else _start_of_long_word(text, n_characters)


def _start_of_long_word(text: str, n_characters: int) -> str:
    # Text without spaces (other scripts, encoded data) is cut at any other whitespace, else not at
    # all: within a word the tokens before a cut can depend on the characters after it.
    for position in range(n_characters, len(text)):
        if text[position].isspace():
            return text[:position]
    return text


def _special_ids(tokenizer: Tokenizer) -> frozenset[int]:
    """Ids of special tokens, except the one for unknown characters."""
    model = json.loads(tokenizer.to_str())["model"]
    unknown = {model.get("unk_id"), tokenizer.token_to_id(model.get("unk_token") or "")}
    added = tokenizer.get_added_tokens_decoder()
    return frozenset(token for token, what in added.items() if what.special) - unknown


def _frame(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The special tokens that the tokenizer puts before and after a text."""
    inside = tokenizer.encode("a", add_special_tokens=False).ids
    framed = tokenizer.encode("a", add_special_tokens=True).ids
    for start in range(len(framed) - len(inside) + 1):
        if framed[start : start + len(inside)] == inside:
            return framed[:start], framed[start + len(inside) :]
    raise ValueError(
        f"the tokenizer encodes 'a' as {inside} without and as {framed} with special tokens: "
        "expected the first within the second, take a model with another tokenizer"
    )
