"""The trigram model of a finished mix."""

import numpy as np

from quadmix_assets.corpus.tokenizer import project_tokenizer, separator_id
from quadmix_assets.evidence.mix_tokens import tokens_of_mixes
from quadmix_assets.evidence.trigram import Trigram
from quadmix_assets.mix.selections import MixRows
from quadmix_assets.sampling import uniform_of_ids
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store
from quadmix_assets.training.selection import Selection
from quadmix_assets.training.token_file import TokenFile

# About two gigabytes at the peak.
_MAX_TOKENS = 20_000_000


def n_tokens_counted(settings: Settings) -> int:
    """Tokens that a trigram model counts of a mix that has as many."""
    evidence = settings.evidence
    return evidence.trigram.n_tokens or min(evidence.largest_budget, _MAX_TOKENS)


def trigram_of_mix(store: Store, settings: Settings, rows: MixRows) -> Trigram:
    """Count a mix: all of it, or whole documents of a larger one up to `n_tokens_counted`.

    Which documents is drawn by their ids, in the same way for all mixes.

    Raises:
        MissingOutputError: a shard of the mix has not been normalized, or its rows are gone.
        ValueError: the mix holds no tokens, or the vocabulary is too large.
    """
    n_tokens = n_tokens_counted(settings)
    tokenizer = project_tokenizer(store)
    with tokens_of_mixes(store, settings, [rows], n_tokens=n_tokens, n_seeds=1) as tokens:
        documents = TokenFile.open(tokens.folder)
        thinned = tokens.selection(rows.mix, n_tokens, 0)
        seed = derive_seed(settings.seed, "trigram")
        order = np.argsort(uniform_of_ids(tokens.id_hashes[thinned.documents], seed), kind="stable")
        return Trigram.fit(
            documents,
            _first(thinned, order, documents.n_tokens, n_tokens),
            vocab_size=tokenizer.get_vocab_size(),
            separator_id=separator_id(tokenizer),
        )


def _first(
    selection: Selection, order: np.ndarray, n_tokens_each: np.ndarray, n_tokens: int
) -> Selection:
    """The first documents of a selection, by `order`, that fit in so many tokens; at least one."""
    sizes = n_tokens_each[selection.documents] * selection.copies
    n = max(1, int(np.searchsorted(np.cumsum(sizes[order]), n_tokens, side="right")))
    chosen = np.sort(order[:n])
    return Selection(selection.name, selection.documents[chosen], selection.copies[chosen])
