"""Trains or loads a byte-level BPE tokenizer, and counts and encodes tokens with it.

Whatever would make counts wrong or random is switched off: truncation, padding, dropout, and the
recognition of special tokens that are spelt out in a document.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from tokenizers import Encoding, Tokenizer, decoders, models, pre_tokenizers, trainers
from upath import UPath

from quadmix_assets.hashing import hash_bytes
from quadmix_assets.outputs import TOKENIZER
from quadmix_assets.store import Store

END_OF_TEXT = "<|endoftext|>"
_SEPARATORS = (END_OF_TEXT, "</s>", "<|end_of_text|>", "<eos>", "[SEP]")
_MIN_VOCABULARY = 257  # the 256 bytes and the end of text

# An `Encoding` takes some hundred bytes per token. Long texts are encoded in pieces, and pieces in
# batches, so that memory does not grow with the longest document.
_MAX_PIECE_CHARACTERS = 1 << 16
_MAX_BATCH_CHARACTERS = 1 << 21
# Where a text may be cut. No common pre-tokenizer joins a word with the space that follows it, so a
# cut there changes no token. Text without spaces is cut before a punctuation mark or line end that
# follows a letter (but not before an apostrophe, which may belong to the word).
_CUTS = (re.compile(r"(?<=\S) "), re.compile(r"(?<=[^\W\d_])[^\w'’]"))


def train_tokenizer(texts: Iterable[str], *, vocab_size: int) -> Tokenizer:
    """Train byte-pair merges on `texts`. `<|endoftext|>` is token 0; any text can be encoded.

    Deterministic, and independent of the texts' order. With little text there may be fewer than
    `vocab_size` tokens.

    Raises:
        ValueError: `vocab_size` is below 257, the bytes and the end of text.
    """
    if vocab_size < _MIN_VOCABULARY:
        raise ValueError(
            f"tokenizer.vocab_size is {vocab_size}, expected at least {_MIN_VOCABULARY}: "
            "256 bytes and the end of text."
        )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((piece for text in texts for piece in text_pieces(text)), trainer)
    return _deterministic(tokenizer)


def load_tokenizer(path_or_id: str | UPath, *, revision: str | None = None) -> Tokenizer:
    """Load a tokenizer.json, a folder that holds one (both may be URIs), or one from the hub.

    The hub is asked only if `revision` is given and there is no such file or folder.

    Raises:
        FileNotFoundError: there is no such file or folder, and no revision is given.
        ValueError: the file is no tokenizer, or the hub has none under this id and revision.
    """
    path = UPath(path_or_id)
    if path.is_dir():
        path = path / "tokenizer.json"
    if not path.exists():
        if revision is None:
            raise FileNotFoundError(
                f"tokenizer.source: {path} is not there. Expected a tokenizer.json, a folder that "
                "holds one, or a hub id; for a hub id, set tokenizer.revision to a commit too."
            )
        path = _download(str(path_or_id), revision)
    try:
        tokenizer = Tokenizer.from_buffer(path.read_bytes())
    except Exception as error:  # the library raises no narrower class
        raise ValueError(
            f"{path}: expected a tokenizer.json of the tokenizers library, but it cannot be read "
            f"({error})."
        ) from error
    return _deterministic(tokenizer)


def tokenizer_path(store: Store) -> UPath:
    """The path of the project's tokenizer in the lake."""
    return store.path(TOKENIZER, "tokenizer.json")


def project_tokenizer(store: Store) -> Tokenizer:
    """The project's tokenizer, from the lake.

    Raises:
        MissingOutputError: the asset `tokenizer` has not been materialised.
        DamagedOutputError: it is not what was written.
    """
    content = store.read_bytes(tokenizer_path(store))
    return _deterministic(Tokenizer.from_buffer(content))


def count_tokens(tokenizer: Tokenizer, texts: Sequence[str]) -> np.ndarray:
    """Number of tokens of each text, without special tokens: (D,) int64."""
    counts = np.zeros(len(texts), dtype=np.int64)
    for owner, encoding in _encodings(tokenizer, texts):
        counts[owner] += len(encoding)
    return counts


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[np.ndarray]:
    """Token ids of each text, without special tokens: D arrays of int32."""
    parts: list[list[np.ndarray]] = [[] for _ in texts]
    for owner, encoding in _encodings(tokenizer, texts):
        parts[owner].append(np.array(encoding.ids, dtype=np.int32))
    return [pieces[0] if len(pieces) == 1 else np.concatenate(pieces) for pieces in parts]


def encode_with_places(
    tokenizer: Tokenizer, texts: Sequence[str]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Token ids of each text as `encode` gives them, and where in the text each token stands.

    Returns:
        For each text (n,) int32, the ids, and (n, 2) int64, the first character of each token and
        the one after its last.
    """
    parts: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in texts]
    starts = (start for text in texts for start in _piece_starts(text))
    encodings = _encodings(tokenizer, texts, with_places=True)
    for (owner, encoding), start in zip(encodings, starts, strict=True):
        ids = np.array(encoding.ids, dtype=np.int32)
        places = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2) + start
        parts[owner].append((ids, places))
    return [
        (np.concatenate([ids for ids, _ in pieces]), np.concatenate([at for _, at in pieces]))
        for pieces in parts
    ]


def tokenizer_fingerprint(tokenizer: Tokenizer) -> str:
    """xxh3-128 of the tokenizer's JSON: tokenizers with the same definition have the same."""
    return hash_bytes(tokenizer.to_str().encode())


def separator_id(tokenizer: Tokenizer) -> int:
    """The id of the token that separates documents.

    Raises:
        ValueError: the tokenizer has none of the usual separators.
    """
    vocabulary = tokenizer.get_vocab()
    for name in _SEPARATORS:
        if name in vocabulary:
            return vocabulary[name]
    raise ValueError(
        "the tokenizer has no token to separate documents: expected one of "
        f"{', '.join(_SEPARATORS)}. Set tokenizer.source to a tokenizer that has one."
    )


def _deterministic(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    if isinstance(tokenizer.model, models.BPE):
        tokenizer.model.dropout = None
    return tokenizer


def _download(repository: str, revision: str) -> UPath:
    # Imported late: it takes a second, and most runs never ask the hub.
    from huggingface_hub import hf_hub_download

    try:
        return UPath(hf_hub_download(repository, "tokenizer.json", revision=revision))
    except (OSError, ValueError) as error:  # all errors of the hub's client are one or the other
        raise ValueError(
            f"tokenizer.source: {repository!r} is no file or folder, and no tokenizer.json could "
            f"be downloaded from the hub at revision {revision!r} ({error}). Correct the id or the "
            "revision, or name a local file."
        ) from error


def _encodings(
    tokenizer: Tokenizer, texts: Sequence[str], *, with_places: bool = False
) -> Iterator[tuple[int, Encoding]]:
    """(index of the text, encoding) of every piece, in order."""
    owners: list[int] = []
    pieces: list[str] = []
    n_characters = 0
    for owner, text in enumerate(texts):
        for piece in text_pieces(text):
            owners.append(owner)
            pieces.append(piece)
            n_characters += len(piece)
            if n_characters >= _MAX_BATCH_CHARACTERS:
                yield from _encode_batch(tokenizer, owners, pieces, with_places)
                owners, pieces, n_characters = [], [], 0
    yield from _encode_batch(tokenizer, owners, pieces, with_places)


def _encode_batch(
    tokenizer: Tokenizer, owners: list[int], pieces: list[str], with_places: bool
) -> Iterator[tuple[int, Encoding]]:
    # The fast way does not say where tokens stand.
    encode_batch = tokenizer.encode_batch if with_places else tokenizer.encode_batch_fast
    return zip(owners, encode_batch(pieces, add_special_tokens=False), strict=True)


def _piece_starts(text: str) -> Iterator[int]:
    start = 0
    for piece in text_pieces(text):
        yield start
        start += len(piece)


def text_pieces(text: str) -> Iterator[str]:
    """The pieces, together the text, in which it is encoded: each of at most 65,536 characters."""
    start = 0
    while len(text) - start > _MAX_PIECE_CHARACTERS:
        stop = _cut(text, start + _MAX_PIECE_CHARACTERS // 2, start + _MAX_PIECE_CHARACTERS)
        yield text[start:stop]
        start = stop
    yield text[start:]


def _cut(text: str, first: int, last: int) -> int:
    for pattern in _CUTS:
        if found := pattern.search(text, first, last):
            return found.start()
    return last
