"""Groups near-duplicates: texts that share a run of 13 words, directly or through other texts.

A question that stands twice in a set, in other words or with another answer, must not be learned
from in one part and evaluated on in another. As in GPT-3's decontamination (Brown et al. 2020,
appendix C) a run of 13 words, without case and punctuation, counts as the same text; texts shorter
than that are compared as a whole.
"""

import numpy as np
import polars as pl

from quadmix_assets.corpus.words import WORDS, extend_ngrams, text_chunks, word_table
from quadmix_assets.hashing import hash_number

N_WORDS = 13
# A run in more texts than this share, and in more than this number, is a phrase of the set, such as
# an instruction before every question: it tells nothing about two of them.
_PHRASE_SHARE = 0.2
_PHRASE_TEXTS = 50
# A group of more texts than this share, and than this number, is held together by phrases.
_LARGE_GROUP_SHARE = 0.05
_LARGE_GROUP_TEXTS = 20
# What two texts of such a group have to share, of the runs of the shorter one.
_ALIKE_SHARE = 0.1


def near_duplicates(texts: pl.Series) -> np.ndarray:
    """The group of each text: (D,) int64 from 0, equal where texts are near-duplicates.

    Equal texts are always in one group. Where stock phrases join a large share of all texts in one
    group, its texts stay together only where a tenth of the shorter one's runs are shared.
    """
    keys = _keys(texts).unique().sort("key", "text")
    keys = keys.with_columns(pl.len().over("key").alias("n_texts"))
    n_phrase = max(_PHRASE_TEXTS, _PHRASE_SHARE * len(texts))
    edges = _neighbours(keys.filter(~pl.col("run") | (pl.col("n_texts") <= n_phrase)))
    groups = _connected(edges, len(texts))
    sizes = np.bincount(groups, minlength=1)[groups]
    too_large = sizes > max(_LARGE_GROUP_TEXTS, _LARGE_GROUP_SHARE * len(texts))
    if too_large.any():
        alike = _alike(keys.filter(pl.col("text").is_in(np.flatnonzero(too_large))))
        groups = _connected(np.vstack([edges[~too_large[edges[:, 0]]], alike]), len(texts))
    return groups


def _neighbours(keys: pl.DataFrame) -> np.ndarray:
    """Pairs (n, 2) of texts that join all texts with a key in common; `keys` is sorted by key."""
    values, owners = keys["key"].to_numpy(), keys["text"].to_numpy()
    shared = values[1:] == values[:-1]
    return np.column_stack([owners[:-1][shared], owners[1:][shared]])


def _alike(keys: pl.DataFrame) -> np.ndarray:
    """Pairs (n, 2) of texts that are equal, or share many of the runs of the shorter one."""
    n_runs = keys.filter("run").group_by("text").len("n_runs")
    rare = keys.filter(pl.col("run"), pl.col("n_texts") <= _PHRASE_TEXTS).select("key", "text")
    pairs = rare.join(rare, on="key", suffix="_other").filter(pl.col("text") < pl.col("text_other"))
    pairs = pairs.group_by("text", "text_other").len("shared")
    for name in ("text", "text_other"):
        of_text = n_runs.rename({"text": name, "n_runs": f"n_runs_{name}"})
        pairs = pairs.join(of_text, on=name)
    shorter = pl.min_horizontal("n_runs_text", "n_runs_text_other")
    pairs = pairs.filter(pl.col("shared") >= _ALIKE_SHARE * shorter).select("text", "text_other")
    return np.vstack([pairs.to_numpy(), _neighbours(keys.filter(~pl.col("run")))])


def _connected(edges: np.ndarray, n_texts: int) -> np.ndarray:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(edges), bool), edges.T), shape=(n_texts, n_texts))
    groups: np.ndarray = connected_components(graph, directed=False)[1]
    return groups.astype(np.int64)


def _keys(texts: pl.Series) -> pl.DataFrame:
    """What texts can share, columns key, text (its index) and run.

    Two keys of every text: each run of 13 words, and a hash of the whole, of its words where it is
    shorter than a run.
    """
    frames, first = [], 0
    for chunk in text_chunks(texts):
        table = word_table(chunk, WORDS)
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
