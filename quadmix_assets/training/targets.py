"""Parts of target sets cut to the windows that proxies are evaluated on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from tokenizers import Tokenizer

from quadmix_assets.corpus.target_sets import n_evaluated
from quadmix_assets.corpus.target_tables import TargetTokens, read_target_tokens
from quadmix_assets.corpus.tokenizer import separator_id
from quadmix_assets.hashing import Digest
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store
from quadmix_assets.training.choices import NO_TARGET, ChoiceWindows, pack_choices


@dataclass(frozen=True)
class TargetWindows:
    """A target set cut to windows, ordered by the length of their text.

    With this order, forward passes over short texts need no padding to the full context.

    Attributes:
        inputs: (n, context) int64 token ids.
        targets: (n, context) int64 token ids to predict; NO_TARGET beyond the end of a text.
        counted: (n, context) bool, whether a token to predict counts in the loss: words of a
            template do not.
        documents: (n,) int64 the document of each window, by its place among those given.
        n_documents: documents in the windows.
        n_tokens: tokens to predict.
        n_counted: those of them that count.
        n_bytes: UTF-8 bytes of these documents, without the words of their template.
        bytes_of_documents: (n_documents,) int64, the same of each of them.
        choices: the multiple-choice questions; None where there are none.
    """

    inputs: np.ndarray
    targets: np.ndarray
    counted: np.ndarray
    documents: np.ndarray
    n_documents: int
    n_tokens: int
    n_counted: int
    n_bytes: int
    bytes_of_documents: np.ndarray
    choices: ChoiceWindows | None = None

    def fingerprint(self) -> str:
        """A hash of all that a loss on them depends on."""
        digest = Digest()
        arrays = [self.inputs, self.targets, self.counted]
        if self.choices is not None:
            of_choices = self.choices
            arrays += [of_choices.inputs, of_choices.targets, of_choices.questions]
            arrays.append(of_choices.is_right)
        for array in arrays:
            digest.update(repr((array.shape, array.dtype.str)).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def read_targets(
    store: Store, settings: Settings, tokenizer: Tokenizer, context: int, *, part: str
) -> dict[str, TargetWindows]:
    """One part of every target set, up to `proxies.max_target_tokens`, in windows.

    The choices of multiple-choice questions hold as many tokens at most.

    Raises:
        MissingOutputError: a target set is not there, or was encoded with another tokenizer.
        ValueError: a target set holds no tokens.
    """
    max_tokens, separator = settings.proxies.max_target_tokens, separator_id(tokenizer)
    return {
        name: windows_of(
            read_target_tokens(store, name, tokenizer, part=part),
            context=context,
            separator_id=separator,
            max_tokens=max_tokens,
        )
        for name in settings.target_names
    }


def windows_of(
    tokens: TargetTokens, *, context: int, separator_id: int, max_tokens: int
) -> TargetWindows:
    """Documents and the choices of their questions, up to `max_tokens` of each, in windows.

    Raises:
        ValueError: they hold no tokens, or none that counts.
    """
    return replace(
        pack_target(
            tokens.documents,
            tokens.n_bytes,
            context=context,
            separator_id=separator_id,
            max_tokens=max_tokens,
            counted=tokens.counted,
        ),
        choices=pack_choices(
            tokens.choices, context=context, separator_id=separator_id, max_tokens=max_tokens
        ),
    )


def pack_target(
    documents: Sequence[np.ndarray | Sequence[int]],
    n_bytes: Sequence[int] | np.ndarray,
    *,
    context: int,
    separator_id: int,
    max_tokens: int | None = None,
    counted: Sequence[np.ndarray] | None = None,
) -> TargetWindows:
    """Cut whole documents to windows in which every token is predicted exactly once.

    A document is read as separator, then its tokens, exactly as in training, so that its first
    token is predicted from the separator. A document longer than the context continues in another
    window, whose first input is the last token of the previous window.

    Args:
        documents: token ids of each document, in the order in which they are taken.
        n_bytes: UTF-8 bytes of each document, without the words of its template.
        context: tokens predicted per window.
        separator_id: the token before every document.
        max_tokens: documents are taken while they fit in this many tokens, the first one always;
            None takes all.
        counted: of each document (n,) bool, whether a token counts in the loss; None: all do.

    Raises:
        ValueError: there is no token to predict, or none that counts, or the numbers of documents
            differ.
    """
    if len(documents) != len(n_bytes):
        raise ValueError(f"{len(documents)} documents but {len(n_bytes)} byte counts")
    lengths = np.fromiter((len(d) for d in documents), np.int64, len(documents))
    n_taken = n_evaluated(lengths, max_tokens)
    if not lengths[:n_taken].sum():
        raise ValueError("a target set holds no tokens; give it documents with text")
    rows = []
    for number, document in enumerate(documents[:n_taken]):
        text = np.concatenate([[separator_id], np.asarray(document, np.int64)])
        counts = np.ones(len(document), bool) if counted is None else counted[number]
        for start in range(0, len(document), context):
            window = slice(start, start + context)
            rows.append((text[start : start + context + 1], counts[window], number))
    rows.sort(key=lambda row: len(row[0]))
    inputs = np.full((len(rows), context), separator_id, np.int64)
    targets = np.full((len(rows), context), NO_TARGET, np.int64)
    in_loss = np.zeros((len(rows), context), bool)
    for row, (text, counts, _) in enumerate(rows):
        inputs[row, : len(text) - 1] = text[:-1]
        targets[row, : len(text) - 1] = text[1:]
        in_loss[row, : len(text) - 1] = counts
    if not in_loss.any():
        raise ValueError(
            "a target set holds nothing but the words of its template; set its mask_template to "
            "false, or correct its template"
        )
    return TargetWindows(
        inputs=inputs,
        targets=targets,
        counted=in_loss,
        documents=np.array([number for _, _, number in rows], np.int64),
        n_documents=n_taken,
        n_tokens=int(lengths[:n_taken].sum()),
        n_counted=int(in_loss.sum()),
        n_bytes=int(np.sum(n_bytes[:n_taken])),
        bytes_of_documents=np.asarray(n_bytes[:n_taken], np.int64),
    )
