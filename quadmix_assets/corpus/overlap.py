"""Find contamination: runs of words that a target set shares with the pool.

A pool that contains the text on which losses are measured makes the losses meaningless: any mix
that takes this text wins. As in GPT-3's decontamination (Brown et al. 2020, appendix C) a run of 13
words, without case and punctuation, counts as the same text. Texts of 8 to 12 words are matched as
a whole; shorter ones may match by chance and are left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from quadmix_assets.corpus.words import WORDS, extend_ngrams, text_chunks, word_table

N_WORDS = 13
MIN_WORDS = 8
SCHEMA = {"target": pl.String, "target_id": pl.String, "id": pl.String, "n_runs": pl.Int64}
# A Bloom filter (one hash, 16 MiB) excludes most runs of the pool before the binary search.
_FILTER_MASK = np.uint64((1 << 24) - 1)


def n_too_short(texts: pl.Series) -> int:
    """How many of the texts are too short to be searched for."""
    return int((texts.str.to_lowercase().str.count_matches(WORDS.pattern) < MIN_WORDS).sum())


@dataclass(frozen=True, eq=False)
class TargetRuns:
    """The runs of words of all target sets.

    Attributes:
        keys: by length in words, (k,) uint64, the sorted hashes of runs; a hash occurs once for
            each target document that has the run.
        owners: by length in words, (k,) the row of that document in `documents`.
        documents: columns target and id, a row per target document.
        too_short: by target, the number of its documents that are too short to be searched for.
    """

    keys: Mapping[int, np.ndarray]
    owners: Mapping[int, np.ndarray]
    documents: pl.DataFrame
    too_short: Mapping[str, int]

    @classmethod
    def of(cls, targets: Mapping[str, pl.DataFrame]) -> "TargetRuns":
        """The runs of `targets`, by name, each with the columns id and text."""
        found: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        too_short, frames, first = {}, [], 0
        for name, frame in targets.items():
            table = word_table(frame["text"], WORDS)
            numbers = first + table.documents
            lengths = table.n_words
            too_short[name] = n_too_short(frame["text"])
            keys = table.word_hashes
            for n in range(1, N_WORDS + 1):
                if n > 1:
                    keys = extend_ngrams(keys, table.word_hashes)
                if n < MIN_WORDS:
                    continue
                chosen = table.inside(n)
                if n < N_WORDS:  # whole texts only
                    chosen = chosen & (lengths[table.documents[: len(chosen)]] == n)
                if chosen.any():
                    found.setdefault(n, []).append((keys[chosen], numbers[: len(keys)][chosen]))
            frames.append(frame.select(pl.lit(name).alias("target"), "id"))
            first += frame.height
        keys_by_length, owners = {}, {}
        for n, parts in found.items():
            pairs = np.unique(
                np.rec.fromarrays([np.concatenate(column) for column in zip(*parts, strict=True)])
            )
            keys_by_length[n], owners[n] = pairs["f0"], pairs["f1"]
        documents = pl.concat(
            [pl.DataFrame(schema={"target": pl.String, "id": pl.String}), *frames]
        )
        return cls(keys_by_length, owners, documents, too_short)

    def found_in(self, ids: pl.Series, texts: pl.Series) -> pl.DataFrame:
        """Count the runs that pool documents, given by ids and texts (D,), share with the targets.

        Returns:
            Columns of SCHEMA, one row per target document and pool document that share a run, in
            their order; `n_runs` counts distinct runs.
        """
        rows, owners, keys = [], [], []
        first = 0
        for chunk in text_chunks(texts):
            table = word_table(chunk, WORDS)
            runs = table.word_hashes
            documents = first + table.documents
            for n in range(1, max(self.keys, default=0) + 1):
                if n > 1:
                    runs = extend_ngrams(runs, table.word_hashes)
                if n in self.keys:
                    maybe = self._filter[runs & _FILTER_MASK]
                    places = np.flatnonzero(maybe & table.inside(n))
                    for place, owner in zip(*self._owners(n, runs[places]), strict=True):
                        rows.append(documents[places[place]])
                        owners.append(owner)
                        keys.append(runs[places[place]])
            first += len(chunk)
        matched = pl.DataFrame(
            {
                "row": np.array(rows, np.int64),
                "owner": np.array(owners, np.int64),
                "key": np.array(keys, np.uint64),
            }
        )
        counted = matched.group_by("owner", "row").agg(pl.col("key").n_unique().alias("n_runs"))
        counted = counted.sort("owner", "row")
        of_target = self.documents[counted["owner"]].rename({"id": "target_id"})
        return pl.DataFrame(
            {
                "target": of_target["target"],
                "target_id": of_target["target_id"],
                "id": ids[counted["row"]],
                "n_runs": counted["n_runs"],
            },
            schema=SCHEMA,
        )

    @cached_property
    def _filter(self) -> np.ndarray:
        found = np.zeros(int(_FILTER_MASK) + 1, bool)
        for keys in self.keys.values():
            found[keys & _FILTER_MASK] = True
        return found

    def _owners(self, n: int, runs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Matches of runs of n words: index in `runs`, and row in `documents`, of each match."""
        keys = self.keys[n]
        starts = np.searchsorted(keys, runs, side="left")
        counts = np.searchsorted(keys, runs, side="right") - starts
        places = np.repeat(np.arange(len(runs)), counts)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return places, self.owners[n][np.repeat(starts, counts) + within]
