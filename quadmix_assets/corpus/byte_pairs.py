"""Encodes texts by tiktoken with the merges of a tokenizer of the tokenizers library.

tiktoken is several times faster, but knows less: ranked byte strings and one pattern that cuts a
text into words. `byte_pairs_of` accepts only a tokenizer for which both must give the same tokens,
and says of any other why not.

Why the merges give the same tokens. tokenizers merges the pair of neighbours that comes first in
its list of merges; tiktoken the pair whose concatenation has the lowest rank; both take the
leftmost of equal ones. Let the merges that make one token stand together in the list, and let every
token, encoded by itself with only those merges whose parts come earlier in the list than their
product, end as that one token. So just before its turn, a token's bytes by themselves are one
certain pair of tokens. If two neighbours in a longer word make the token, no merge has crossed its
ends so far, so what stands between them has gone as the token by itself does: the neighbours are
that certain pair, and it is the token's turn. Both libraries then make the same merges in the same
order.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tiktoken
from tokenizers import Tokenizer, models

from quadmix_assets.corpus.awkward_texts import awkward_texts
from quadmix_assets.sampling.validation import IntArray

# GPT-2's pattern, as tiktoken writes it for its engine of regular expressions: the same words, but
# nothing is tried twice.
_GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
# Llama 3's pattern, and Qwen 2's, which takes digits one by one.
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
_AS_IT_IS = {"behavior": "Isolated", "invert": False}
# Patterns that both engines were tried with on every character.
_KNOWN_SPLITS = (_LLAMA3, _QWEN2)


class UnsupportedTokenizerError(Exception):
    """tiktoken cannot stand in for a tokenizer; the message says why."""


@dataclass(frozen=True, eq=False)
class BytePairs:
    """A tokenizer's words and merges, for tiktoken.

    Attributes:
        encoding: gives ranks of tokens.
        ids: (V,) int32, the tokenizer's token of each rank.
    """

    encoding: tiktoken.Encoding
    ids: IntArray

    def count(self, text: str) -> int:
        """The number of tokens of a text."""
        return len(self._ranks(text))

    def encode(self, text: str) -> IntArray:
        """The tokens of a text, (n,) int32."""
        tokens: IntArray = self.ids[np.array(self._ranks(text), np.int64)]
        return tokens

    def _ranks(self, text: str) -> list[int]:
        if not text.isascii():
            text.encode()  # tiktoken would replace half a surrogate pair without a word
        return self.encoding.encode_ordinary(text)


def byte_pairs_of(tokenizer: Tokenizer) -> BytePairs:
    """A faster encoder with the same tokens.

    Beyond the reasoning above, the tokens of a built-in set of awkward texts are compared.

    Raises:
        UnsupportedTokenizerError: it is no byte-level BPE tokenizer, does something that tiktoken
            does not, or its merges are not in an order that gives the same tokens.
    """
    definition = json.loads(tokenizer.to_str())
    _require_plain(tokenizer, definition)
    pattern = _word_pattern(definition["pre_tokenizer"])
    model = definition["model"]
    vocabulary: dict[str, int] = model["vocab"]
    merges = [(first, second) for first, second in model["merges"]]
    added = [token["content"] for token in definition["added_tokens"]]
    order = _order(vocabulary, merges)
    _require_same_merges(vocabulary, merges, order)
    if model["ignore_merges"] and (unmerged := vocabulary.keys() - order.keys() - set(added)):
        raise UnsupportedTokenizerError(
            f"it takes {min(unmerged)!r} for a token where it is a whole word, without a merge"
        )
    byte_of = _bytes_of_characters()
    ranks = {
        bytes(byte_of[character] for character in token): rank for token, rank in order.items()
    }
    found = BytePairs(
        tiktoken.Encoding("project", pat_str=pattern, mergeable_ranks=ranks, special_tokens={}),
        np.array([vocabulary[token] for token in order], np.int32),
    )
    _require_same_tokens(tokenizer, found, [*awkward_texts(), *added, *map(" {}".format, added)])
    return found


def _require_plain(tokenizer: Tokenizer, definition: Mapping[str, Any]) -> None:
    model = definition["model"]
    if model["type"] != "BPE":
        raise UnsupportedTokenizerError(f"its model is {model['type']}, not BPE")
    for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if model[name]:
            raise UnsupportedTokenizerError(f"its model has {name}")
    for name in ("normalizer", "truncation", "padding"):
        if definition[name] is not None:
            raise UnsupportedTokenizerError(f"it has {name}")
    for token in definition["added_tokens"]:
        if not (token["special"] and tokenizer.encode_special_tokens):
            raise UnsupportedTokenizerError(f"it looks for {token['content']!r} in texts")


def _word_pattern(pre_tokenizer: Mapping[str, Any] | None) -> str:
    """The pattern for tiktoken that cuts texts into the words of a pre-tokenizer."""
    steps = [pre_tokenizer or {"type": "none"}]
    if steps[0]["type"] == "Sequence":
        steps = steps[0]["pretokenizers"]
    *splits, to_bytes = steps
    if to_bytes["type"] == "ByteLevel" and not to_bytes["add_prefix_space"]:
        if not splits and to_bytes["use_regex"]:
            return _GPT2
        if len(splits) == 1 and not to_bytes["use_regex"]:
            for pattern in _KNOWN_SPLITS:
                if splits[0] == {"type": "Split", "pattern": {"Regex": pattern}, **_AS_IT_IS}:
                    return pattern
    kinds = " and ".join(step["type"] for step in steps)
    raise UnsupportedTokenizerError(f"it cuts texts into words in another way ({kinds})")


def _order(vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The rank of each token: the bytes first, then the products of merges in their order."""
    if missing := _bytes_of_characters().keys() - vocabulary.keys():
        raise UnsupportedTokenizerError(f"it has no token for {len(missing)} of the 256 bytes")
    order = {character: rank for rank, character in enumerate(_bytes_of_characters())}
    last = ""
    for first, second in merges:
        product = first + second
        if product not in order:
            if not set(product) <= order.keys():
                raise UnsupportedTokenizerError(f"its token {product!r} is not made of bytes")
            order[product] = len(order)
        elif product != last:
            raise UnsupportedTokenizerError(f"merges at several places make {product!r}")
        last = product
    return order


def _require_same_merges(
    vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]], order: Mapping[str, int]
) -> None:
    rising = [
        (first, second)
        for first, second in merges
        if max(order.get(first, len(order)), order.get(second, len(order))) < order[first + second]
    ]
    model = models.BPE(vocab=dict(vocabulary), merges=rising)
    for token in order:
        if len(model.tokenize(token)) != 1:
            raise UnsupportedTokenizerError(f"its merges do not lead to its token {token!r}")


def _require_same_tokens(tokenizer: Tokenizer, found: BytePairs, texts: Sequence[str]) -> None:
    expected = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    for text, encoding in zip(texts, expected, strict=True):
        if encoding.ids != found.encode(text).tolist():
            raise UnsupportedTokenizerError(f"its tokens of {text[:40]!r} differ")


def _bytes_of_characters() -> dict[str, int]:
    """The byte that each character of a byte-level vocabulary stands for, in the bytes' order.

    GPT-2's table: printable characters of Latin-1 stand for their own byte, and the characters from
    U+0100 on for the other bytes, in order.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    of_others = {byte: chr(0x100 + place) for place, byte in enumerate(others)}
    return {of_others.get(byte, chr(byte)): byte for byte in range(256)}
