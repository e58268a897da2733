"""DSIR's importance weight of a document for the target set (Xie et al. 2023, arXiv:2302.03169)."""

import io
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import polars as pl
from pydantic import Field

from quadmix_assets.features.criteria.base import Criterion
from quadmix_assets.features.criteria.hashed_ngrams import HashedNgrams
from quadmix_assets.features.learned.pinned import NotFittedError
from quadmix_assets.features.window import Window
from quadmix_assets.settings.base import Name, PositiveInt
from quadmix_assets.settings.criteria import CriterionSettings

_TABLE = "log_ratios.npy"
# A sum has no lower bound; documents without words get that of a document of so many words.
_MOST_WORDS = 1_000_000


class ImportanceSettings(CriterionSettings):
    """DSIR: log importance ratio of hashed unigrams and bigrams, per word or per document."""

    kind: Literal["importance"]
    target: Name = Field(description="the target set that importance weights are computed for")
    n_pool_documents: PositiveInt = Field(
        default=20_000,
        description="documents sampled from the pool to estimate its distribution of n-grams; "
        "some millions of words, enough for 10,000 buckets",
    )
    n_buckets: PositiveInt = Field(
        default=10_000, description="hash buckets of unigrams and bigrams; DSIR's own number"
    )
    per: Literal["word", "document"] = Field(
        default="word",
        description="word: the mean of a document's words, which does not depend on its length; "
        "document: the sum over its n-grams, DSIR's own weight, which the method dsir of mixes "
        "needs. A sum grows with the length of a document and mostly measures it, so that it is "
        "better not weighed by theta (weighed: false)",
    )

    def implementation(self) -> "type[ImportanceCriterion]":
        """See `CriterionSettings`."""
        return ImportanceCriterion

    @property
    def score_meaning(self) -> str:
        """See `CriterionSettings`."""
        return (
            "log of the probability under the target set over that in the pool "
            "(DSIR), larger is better"
        )

    @property
    def score_unit(self) -> str:
        """See `CriterionSettings`."""
        return "nats per word" if self.per == "word" else "nats"

    @property
    def target_learned_from(self) -> str:
        """The setting `target`."""
        return self.target

    @property
    def pool_sample_size(self) -> int:
        """The setting `n_pool_documents`."""
        return self.n_pool_documents


class ImportanceCriterion(Criterion[ImportanceSettings]):
    """log p_target(document) - log p_pool(document), per word or of the whole document.

    p is a bag-of-n-grams model: unigrams and bigrams of lower-cased words and punctuation marks,
    hashed into n_buckets, with add-one smoothing. Per word, the sum over a document's
    n-grams is divided by its number of words; DSIR keeps the sum, which grows with the length of a
    document and mostly measures it. Documents without words get a lower bound of all scores.
    """

    code_version = "1"
    _log_ratios: np.ndarray | None = None

    def fit(self, target_texts: Sequence[str], pool_texts: Sequence[str], *, seed: int) -> None:
        """Count the n-grams of target and pool; nothing is random, `seed` is not used.

        Raises:
            ValueError: the target or the pool texts have no words.
        """
        target, pool = self._counts(target_texts), self._counts(pool_texts)
        target_set = f"the target set {self.settings.target!r}"
        for what, counts in ((target_set, target), ("the pool", pool)):
            if not counts.any():
                raise ValueError(
                    f"criterion {self.name!r}: there are no words in the texts of {what} that it "
                    "is fitted on: check the file and its text column, or fit_share"
                )
        self._log_ratios = _log_shares(target) - _log_shares(pool)

    def score(self, documents: pl.DataFrame) -> np.ndarray:
        """Log importance ratio in nats, per word or per document, (D,) float64."""
        return self.score_window(Window(documents))

    def score_window(self, window: Window) -> np.ndarray:
        """See `Criterion`; all criteria of one number of buckets share its n-grams."""
        if self._log_ratios is None:
            raise NotFittedError(f"criterion {self.name!r}: fit or load it before it scores")
        ratios = self._log_ratios
        # Per word there are one unigram and less than one bigram.
        lowest = 2.0 * min(float(ratios.min()), 0.0)
        by_word = self.settings.per == "word"
        if not by_word:
            lowest *= _MOST_WORDS
        scores = [np.empty(0)]
        for part in window.get(self._ngrams):
            sums = part.sums(ratios)
            found = sums / np.maximum(part.n_words, 1) if by_word else sums
            scores.append(np.where(part.n_words > 0, found, lowest))
        return np.concatenate(scores)

    @property
    def _ngrams(self) -> HashedNgrams:
        return HashedNgrams(self.settings.n_buckets)

    def _counts(self, texts: Sequence[str]) -> np.ndarray:
        n_buckets = self.settings.n_buckets
        counts = np.zeros(n_buckets, dtype=np.int64)
        for part in self._ngrams.of_chunks(pl.Series("text", texts, dtype=pl.String)):
            counts += part.counts(n_buckets)
        return counts

    def _files(self) -> dict[str, bytes]:
        if self._log_ratios is None:
            raise NotFittedError(f"criterion {self.name!r}: fit it before it is saved")
        file = io.BytesIO()
        np.save(file, self._log_ratios)
        return {_TABLE: file.getvalue()}

    def _restore(self, files: Mapping[str, bytes]) -> None:
        self._log_ratios = np.load(io.BytesIO(files[_TABLE]))


def _log_shares(counts: np.ndarray) -> np.ndarray:
    smoothed = counts + 1.0
    shares: np.ndarray = np.log(smoothed) - np.log(smoothed.sum())
    return shares
