"""Groups near-duplicates: texts that share a run of 13 words, directly or through other texts.

A question that stands twice in a set, in other words or with another answer, must not be learned
from in one part and evaluated on in another. As in GPT-3's decontamination (Brown et al. 2020,
appendix C) a run of 13 words, without case and punctuation, counts as the same text; texts shorter
than that are compared as a whole.
"""

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from quadmix_assets.corpus.words import extend_ngrams, text_chunks, word_table
from quadmix_assets.hashing import hash_number

N_WORDS = 13
# A run in more texts than this share, and in more than this number, is a phrase of the set, such as
# an instruction before every question: it tells nothing about two of them.
_PHRASE_SHARE = 0.2
_PHRASE_TEXTS = 50
_WORDS = r"\w+"


def near_duplicates(texts: pl.Series) -> np.ndarray:
    """The group of each text: (D,) int64 from 0, equal where texts are near-duplicates.

    Equal texts are always in one group.
    """
    found = _keys(texts).unique().sort("key", "text")
    phrase = (pl.len().over("key") > max(_PHRASE_TEXTS, _PHRASE_SHARE * len(texts))) & pl.col("run")
    found = found.filter(~phrase)
    keys, owners = found["key"].to_numpy(), found["text"].to_numpy()
    shared = keys[1:] == keys[:-1]
    pairs = (owners[:-1][shared], owners[1:][shared])
    edges = coo_array((np.ones(len(pairs[0]), bool), pairs), shape=(len(texts), len(texts)))
    groups: np.ndarray = connected_components(edges, directed=False)[1]
    return groups.astype(np.int64)


def _keys(texts: pl.Series) -> pl.DataFrame:
    """What texts can share, columns key, text (its index) and run.

    Two keys of every text: each run of 13 words, and a hash of the whole, of its words where it is
    shorter than a run.
    """
    frames, first = [], 0
    for chunk in text_chunks(texts):
        table = word_table(chunk, _WORDS)
        keys = table.word_hashes
        whole = np.array([hash_number(text.encode()) for text in chunk], np.uint64)
        for n in range(1, N_WORDS + 1):
            if n > 1:
                keys = extend_ngrams(keys, table.word_hashes) if len(keys) else keys
            chosen = table.inside(n)
            owners = table.documents[: len(chosen)][chosen]
            if n < N_WORDS:
                short = table.n_words[owners] == n
                whole[owners[short]] = keys[chosen][short]
            else:
                frames.append(_frame(keys[chosen], first + owners, run=True))
        frames.append(_frame(whole, first + np.arange(len(chunk)), run=False))
        first += len(chunk)
    return pl.concat(frames) if frames else _frame(np.zeros(0, np.uint64), np.zeros(0), run=True)


def _frame(keys: np.ndarray, owners: np.ndarray, *, run: bool) -> pl.DataFrame:
    columns = {"key": keys, "text": owners.astype(np.int64)}
    return pl.DataFrame(columns).with_columns(pl.lit(run).alias("run"))
