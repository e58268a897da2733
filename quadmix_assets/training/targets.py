"""Parts of target sets cut to the windows that proxies are evaluated on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from quadmix_assets.corpus.target_sets import n_evaluated
from quadmix_assets.corpus.target_tables import read_target_tokens
from quadmix_assets.corpus.tokenizer import separator_id
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store

NO_TARGET = -1


@dataclass(frozen=True)
class TargetWindows:
    """A target set cut to windows, ordered by the length of their text.

    With this order, forward passes over short texts need no padding to the full context.

    Attributes:
        inputs: (n, context) int64 token ids.
        targets: (n, context) int64 token ids to predict; NO_TARGET beyond the end of a text.
        n_documents: documents in the windows.
        n_tokens: tokens to predict.
        n_bytes: UTF-8 bytes of these documents.
    """

    inputs: np.ndarray
    targets: np.ndarray
    n_documents: int
    n_tokens: int
    n_bytes: int


def read_targets(
    store: Store, settings: Settings, tokenizer: Tokenizer, context: int, *, part: str
) -> dict[str, TargetWindows]:
    """One part of every target set, up to `proxies.max_target_tokens`, in windows.

    Raises:
        MissingOutputError: a target set is not there, or was encoded with another tokenizer.
        ValueError: a target set holds no tokens.
    """
    windows = {}
    for name in settings.target_names:
        target = read_target_tokens(store, name, tokenizer, part=part)
        windows[name] = pack_target(
            target.documents,
            target.n_bytes,
            context=context,
            separator_id=separator_id(tokenizer),
            max_tokens=settings.proxies.max_target_tokens,
        )
    return windows


def pack_target(
    documents: Sequence[np.ndarray | Sequence[int]],
    n_bytes: Sequence[int] | np.ndarray,
    *,
    context: int,
    separator_id: int,
    max_tokens: int | None = None,
) -> TargetWindows:
    """Cut whole documents to windows in which every token is predicted exactly once.

    A document is read as separator, then its tokens, exactly as in training, so that its first
    token is predicted from the separator. A document longer than the context continues in another
    window, whose first input is the last token of the previous window.

    Args:
        documents: token ids of each document, in the order in which they are taken.
        n_bytes: UTF-8 bytes of each document.
        context: tokens predicted per window.
        separator_id: the token before every document.
        max_tokens: documents are taken while they fit in this many tokens, the first one always;
            None takes all.

    Raises:
        ValueError: there is no token to predict, or the numbers of documents differ.
    """
    if len(documents) != len(n_bytes):
        raise ValueError(f"{len(documents)} documents but {len(n_bytes)} byte counts")
    lengths = np.fromiter((len(d) for d in documents), np.int64, len(documents))
    n_taken = n_evaluated(lengths, max_tokens)
    if not lengths[:n_taken].sum():
        raise ValueError("a target set holds no tokens; give it documents with text")
    rows = []
    for document in documents[:n_taken]:
        text = np.concatenate([[separator_id], np.asarray(document, np.int64)])
        rows += [text[start : start + context + 1] for start in range(0, len(text) - 1, context)]
    rows.sort(key=len)
    inputs = np.full((len(rows), context), separator_id, np.int64)
    targets = np.full((len(rows), context), NO_TARGET, np.int64)
    for row, text in enumerate(rows):
        inputs[row, : len(text) - 1] = text[:-1]
        targets[row, : len(text) - 1] = text[1:]
    return TargetWindows(
        inputs=inputs,
        targets=targets,
        n_documents=n_taken,
        n_tokens=int(lengths[:n_taken].sum()),
        n_bytes=int(np.sum(n_bytes[:n_taken])),
    )
