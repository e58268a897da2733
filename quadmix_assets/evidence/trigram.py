"""An interpolated trigram model over token ids (Witten and Bell 1991): no GPU, seconds to count.

The probability of a word w after the context h, which c(h) events followed, of T(h) different
words, is (c(h w) + T(h) p(w | shorter h)) / (c(h) + T(h)): the more different words followed a
context, the more is left to the shorter one. The shortest is uniform over the vocabulary.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from quadmix_assets.corpus.target_sets import n_evaluated
from quadmix_assets.corpus.target_tables import TargetTokens
from quadmix_assets.evidence.losses import SetLosses, choices_per_question
from quadmix_assets.training.choices import NO_TARGET, ChoiceWindows
from quadmix_assets.training.evaluation import nats_of_right
from quadmix_assets.training.selection import Selection
from quadmix_assets.training.token_file import TokenFile

# A trigram is one 64-bit number, three digits to the base of the vocabulary.
_MAX_VOCABULARY = 2_000_000
# Events that are sorted at once.
_BLOCK_TOKENS = 1 << 22


@dataclass(frozen=True, eq=False)
class _Table:
    """Events of a context and a word, as context * V + word.

    Attributes:
        keys: (E,) int64 the different events, ascending.
        counts: (E,) how often each occurs.
        contexts: (H,) int64 the different contexts, ascending.
        totals: (H,) events after each context.
        types: (H,) different words after each context.
    """

    keys: np.ndarray
    counts: np.ndarray
    contexts: np.ndarray
    totals: np.ndarray
    types: np.ndarray

    @classmethod
    def of(cls, keys: np.ndarray, counts: np.ndarray, vocab_size: int) -> "_Table":
        contexts = keys // vocab_size
        starts = _starts(contexts)
        return cls(
            keys,
            counts,
            contexts[starts],
            np.add.reduceat(counts, starts),
            np.diff(np.append(starts, len(keys))),
        )

    def interpolate(
        self, context: np.ndarray, word: np.ndarray, vocab_size: int, shorter: np.ndarray
    ) -> np.ndarray:
        """Probabilities (n,) of words after contexts, given those after the shorter contexts."""
        n_events = _looked_up(self.keys, self.counts, context * vocab_size + word)
        n_context = _looked_up(self.contexts, self.totals, context)
        n_types = _looked_up(self.contexts, self.types, context)
        # A context that was never seen says nothing: the shorter one decides.
        seen = n_context > 0
        divisor = np.where(seen, n_context + n_types, 1)
        return np.where(seen, (n_events + n_types * shorter) / divisor, shorter)


@dataclass(frozen=True, eq=False)
class Trigram:
    """A trigram model, its two shorter ones included.

    Attributes:
        vocab_size: V.
        separator_id: what stands before every document, twice; it is never predicted.
        n_tokens: events that were counted, copies included.
        unigrams: (V,) probabilities of words without context.
        bigrams, trigrams: the counts.
    """

    vocab_size: int
    separator_id: int
    n_tokens: int
    unigrams: np.ndarray
    bigrams: _Table
    trigrams: _Table

    @classmethod
    def fit(
        cls, documents: TokenFile, selection: Selection, *, vocab_size: int, separator_id: int
    ) -> "Trigram":
        """Count the documents of a selection, each as often as it is taken.

        Raises:
            ValueError: the selection holds no tokens, or the vocabulary is too large.
        """
        if vocab_size > _MAX_VOCABULARY:
            raise ValueError(
                f"the vocabulary has {vocab_size:,} tokens; a trigram model takes up to "
                f"{_MAX_VOCABULARY:,}: set evidence.trigram.enabled to false"
            )
        keys, counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
        for words, starts, copies in _blocks(documents, selection):
            before, last = _contexts(words, starts, separator_id)
            of_block = (before * vocab_size + last) * vocab_size + words
            keys, counts = _summed(
                np.concatenate([keys, of_block]), np.concatenate([counts, copies])
            )
        if not len(keys):
            raise ValueError(
                f"the mix {selection.name!r} holds no tokens that a trigram model could count"
            )
        # All events have both contexts, so that the shorter tables follow from the longest.
        of_bigrams = _summed(keys % vocab_size**2, counts)
        n_each = np.zeros(vocab_size)
        np.add.at(n_each, keys % vocab_size, counts)
        n_types = np.count_nonzero(n_each)
        unigrams = (n_each + n_types / vocab_size) / (n_each.sum() + n_types)
        return cls(
            vocab_size,
            separator_id,
            int(counts.sum()),
            unigrams,
            _Table.of(*of_bigrams, vocab_size),
            _Table.of(keys, counts, vocab_size),
        )

    def probabilities(self, before: np.ndarray, last: np.ndarray, word: np.ndarray) -> np.ndarray:
        """P(word | before, last) of n words, given the token before and the one before that.

        Args:
            before, last, word: (n,) token ids, in the order of the text.
        """
        before, last, word = (np.asarray(ids, np.int64) for ids in (before, last, word))
        V = self.vocab_size
        by_last = self.bigrams.interpolate(last, word, V, self.unigrams[word])
        return self.trigrams.interpolate(before * V + last, word, V, by_last)

    def token_nats(self, tokens: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Loss (n,) of every token of some documents, end to end; `starts` are their first ones."""
        before, last = _contexts(tokens, starts, self.separator_id)
        nats: np.ndarray = -np.log(self.probabilities(before, last, tokens))
        return nats

    def set_losses(
        self, tokens: TargetTokens, choices: ChoiceWindows | None, max_tokens: int
    ) -> SetLosses:
        """What the model reaches on a set.

        Args:
            tokens: the documents, of which the first ones up to `max_tokens` are measured.
            choices: the questions, as a language model is measured on them; None: none.
            max_tokens: as for `pack_target`.
        """
        lengths = np.fromiter(map(len, tokens.documents), np.int64, len(tokens.documents))
        n = n_evaluated(lengths, max_tokens)
        words = np.concatenate([np.zeros(0, np.int64), *tokens.documents[:n]])
        counted = np.concatenate([np.zeros(0, bool), *tokens.counted[:n]])
        starts = np.cumsum(lengths[:n]) - lengths[:n]
        owners = np.repeat(np.arange(n), lengths[:n])
        nats = self.token_nats(words, starts)
        return SetLosses(
            np.bincount(owners, nats * counted, minlength=n)[:, None],
            np.bincount(owners, counted, minlength=n),
            tokens.n_bytes[:n],
            None if choices is None else self._choice_nats(choices),
            None if choices is None else choices_per_question(choices),
        )

    def _choice_nats(self, choices: ChoiceWindows) -> np.ndarray:
        """As `evaluation.choice_nats`, (n_questions, 1)."""
        before = np.roll(choices.inputs, 1, axis=1)
        before[:, 0] = self.separator_id
        wanted = choices.targets != NO_TARGET
        nats = np.zeros(choices.inputs.shape)
        nats[wanted] = -np.log(
            self.probabilities(before[wanted], choices.inputs[wanted], choices.targets[wanted])
        )
        return nats_of_right(nats.sum(1)[:, None], choices)


def _blocks(
    documents: TokenFile, selection: Selection
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The documents of a selection, in blocks.

    Yields:
        Tokens (n,) int64 of some documents, end to end; the places of their first tokens; and the
        copies (n,) of every token.
    """
    lengths = documents.n_tokens[selection.documents]
    ends = np.cumsum(lengths)
    first = 0
    while first < len(lengths):
        begin = ends[first] - lengths[first]
        stop = max(first + 1, int(np.searchsorted(ends, begin + _BLOCK_TOKENS, side="right")))
        chosen = selection.documents[first:stop]
        tokens = np.concatenate([documents[int(each)] for each in chosen]).astype(np.int64)
        starts = ends[first:stop] - lengths[first:stop] - begin
        yield tokens, starts, np.repeat(selection.copies[first:stop], lengths[first:stop])
        first = stop


def _contexts(
    tokens: np.ndarray, starts: np.ndarray, separator_id: int
) -> tuple[np.ndarray, np.ndarray]:
    """The token before the last, and the last, before every token (n,) of some documents."""
    starts = starts[starts < len(tokens)]  # not those of empty documents at the end
    last = np.roll(tokens, 1)
    last[starts] = separator_id
    before = np.roll(last, 1)
    before[starts] = separator_id
    return before.astype(np.int64), last.astype(np.int64)


def _summed(keys: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different keys, ascending, with the sums of their counts."""
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = _starts(keys)
    return keys[starts], np.add.reduceat(counts[order], starts) if len(keys) else counts


def _starts(ascending: np.ndarray) -> np.ndarray:
    """Where in an ascending array a new value begins."""
    new = np.ones(len(ascending), bool)
    new[1:] = ascending[1:] != ascending[:-1]
    return np.flatnonzero(new)


def _looked_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The values of wanted keys, 0 where there is none; `keys` are ascending and different."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, values[places], 0)
