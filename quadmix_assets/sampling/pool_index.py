"""The index of a pool: all work of ranking it that does not depend on theta, done once.

Ranking a pool for one theta sorts it. For thousands of thetas most of that is wasted: beyond omega
the sampling value is epsilon whatever the rank (Eq. 3), so only ranks up to omega are needed. The
index keeps the documents of each domain in blocks of similar scores (see `blocks`). For a theta, an
upper limit of the merged scores within omega is estimated from a small sample, blocks whose lower
bound of the merged score exceeds the limit are skipped, and only the other documents are merged and
sorted. A limit that turns out too low is raised, so the result is always exact: the same ranks, to
the last bit, as those of `merge_scores` and `rank_within_domains`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadmix_assets.sampling.blocks import BLOCK, blocks_of
from quadmix_assets.sampling.parameters import Theta
from quadmix_assets.sampling.validation import (
    FloatArray,
    IntArray,
    check_domains,
    check_floats,
    check_tokens,
    share_of,
)

# One document in so many is in the sample from which limits are estimated.
_SAMPLE_STEP = 32
# A domain with fewer documents in the sample gets no limit.
_MIN_SAMPLE = 64
# First distance of a limit beyond omega, in standard deviations of the estimate. Too low costs
# a second pass, too high a few more documents to sort.
_MARGIN = 3.0


@dataclass(frozen=True)
class Best:
    """The documents with rank <= omega under a theta, by domain and then by merged score.

    Attributes:
        places: (k,) their positions in the index.
        domains: (k,) their domain indices, ascending.
        merged: (k,) merged scores (Eq. 1), ascending in each domain.
        ranks: (k,) ranks (Eq. 2).
    """

    places: IntArray
    domains: IntArray
    merged: FloatArray
    ranks: FloatArray


@dataclass(frozen=True, eq=False)
class PoolIndex:
    """A pool of D documents laid out for ranking under many thetas, in B blocks of `BLOCK`.

    The last block of each domain is padded with document number -1, 0 tokens and scores of NaN,
    which are never within a limit.

    Attributes:
        sigma: (N, B, BLOCK) normalized scores, smaller is better.
        documents: (B * BLOCK,) int32, the document at each position.
        tokens: (B * BLOCK,) int64.
        block_domains: (B,) int32, ascending.
        lows: (N, B) the minimum score of each block.
        n_tokens: (M,) tokens of each domain.
    """

    sigma: FloatArray
    documents: NDArray[np.int32]
    tokens: IntArray
    block_domains: NDArray[np.int32]
    lows: FloatArray
    n_tokens: IntArray

    @classmethod
    def build(
        cls, sigma_scores: ArrayLike, domains: ArrayLike, tokens: ArrayLike, n_domains: int
    ) -> "PoolIndex":
        """Build the index of a pool. O(D log D); about a second for a million documents.

        Args:
            sigma_scores: (D, N) normalized scores, smaller is better.
            domains: (D,) domain indices below `n_domains`.
            tokens: (D,) token counts.
            n_domains: M.

        Raises:
            ValueError: shapes disagree, a score is NaN or infinite, tokens are negative, a domain
                index is out of range, or there are 2**31 documents or more.
        """
        sigma = check_floats("sigma_scores", sigma_scores, (None, None))
        domain_of = check_domains(domains, len(sigma), n_domains)
        counts = check_tokens(tokens, len(sigma))
        if len(sigma) >= 2**31:
            raise ValueError(f"{len(sigma)} documents; an index holds fewer than 2**31")
        order = np.argsort(domain_of.astype(np.min_scalar_type(n_domains)), kind="stable")
        ends = np.cumsum(np.bincount(domain_of, minlength=n_domains))
        blocks: list[IntArray] = []
        block_domains: list[int] = []
        for domain, (start, end) in enumerate(pairwise([0, *ends.tolist()])):
            of_domain = blocks_of(sigma, order[start:end]) if end > start else []
            blocks += of_domain
            block_domains += [domain] * len(of_domain)
        documents = np.full((len(blocks), BLOCK), -1, np.int32)
        for row, block in zip(documents, blocks, strict=True):
            row[: len(block)] = block
        is_document = documents >= 0
        laid_out = np.full((sigma.shape[1], *documents.shape), np.nan)
        for scores, criterion in zip(laid_out, sigma.T, strict=True):
            scores[is_document] = criterion[documents[is_document]]
        laid_out_tokens = np.zeros(documents.shape, np.int64)
        laid_out_tokens[is_document] = counts[documents[is_document]]
        n_tokens = np.zeros(n_domains, np.int64)
        np.add.at(n_tokens, block_domains, laid_out_tokens.sum(axis=1))
        return cls(
            sigma=laid_out,
            documents=documents.ravel(),
            tokens=laid_out_tokens.ravel(),
            block_domains=np.array(block_domains, np.int32),
            # Padding is at the end of a block, so every block begins with a document.
            lows=np.fmin.reduce(laid_out, axis=2),
            n_tokens=n_tokens,
        )

    def save(self, folder: Path) -> None:
        """Write the arrays as NumPy files to a local folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for field in fields(self):
            np.save(folder / f"{field.name}.npy", getattr(self, field.name))

    @classmethod
    def open(cls, folder: Path) -> "PoolIndex":
        """Open what `save` wrote; the arrays are memory-mapped.

        Raises:
            FileNotFoundError: a file is missing.
        """
        return cls(**{field.name: _load(folder / f"{field.name}.npy") for field in fields(cls)})

    @property
    def n_criteria(self) -> int:
        """N, the number of criteria."""
        return len(self.sigma)

    @property
    def n_domains(self) -> int:
        """M, the number of domains."""
        return len(self.n_tokens)

    @cached_property
    def n_documents(self) -> int:
        """D, the number of documents."""
        return int((self.documents >= 0).sum())

    def domains_of(self, places: IntArray) -> IntArray:
        """The domains (k,) of the documents at positions (k,) of the index."""
        return self.block_domains[places // BLOCK].astype(np.int64)

    def best(self, theta: Theta, limits: FloatArray | None = None) -> Best:
        """The documents with rank <= omega, ranked.

        Args:
            theta: alpha (M, N) and omega (M,) are used.
            limits: (M,) upper limits of the merged scores with rank <= omega, if they are known;
                None estimates and verifies them.

        Raises:
            ValueError: theta has other criteria or domains than the pool.
        """
        if theta.alpha.shape != (self.n_domains, self.n_criteria):
            raise ValueError(
                f"theta is for {theta.alpha.shape} domains and criteria; "
                f"the pool has {(self.n_domains, self.n_criteria)}"
            )
        if limits is not None:
            return _inside(self._ranked(theta, limits), theta)
        margin = _MARGIN
        limits = self._limits(theta, margin)
        while True:
            ranked = self._ranked(theta, limits)
            short = self._too_low(ranked, theta, limits)
            if not short.any():
                return _inside(ranked, theta)
            margin *= 4.0
            limits[short] = self._limits(theta, margin)[short]

    @cached_property
    def _sample(self) -> tuple[FloatArray, IntArray, IntArray]:
        """Scores (N, s) and tokens (s,) of the sample, and the bounds of its domains (M + 1,)."""
        places = np.arange(_SAMPLE_STEP // 2, len(self.documents), _SAMPLE_STEP)
        places = places[self.documents[places] >= 0]
        starts = np.searchsorted(self.block_domains[places // BLOCK], np.arange(self.n_domains + 1))
        scores = self.sigma.reshape(self.n_criteria, -1)[:, places]
        return np.ascontiguousarray(scores), self.tokens[places], starts

    def _limits(self, theta: Theta, margin: float) -> FloatArray:
        """Merged scores (M,) whose rank is most likely a little beyond omega; inf is no limit.

        `margin` counts standard deviations of a share estimated from a random sample of that size.
        The estimate is better, because the sample is spread evenly over the blocks.
        """
        scores, tokens, starts = self._sample
        limits = np.full(self.n_domains, np.inf)
        for domain, (start, end) in enumerate(pairwise(starts)):
            n = end - start
            omega = float(theta.omega[domain])
            share = omega + margin * (np.sqrt(omega * (1 - omega) / max(n, 1)) + 1 / max(n, 1))
            if n < _MIN_SAMPLE or share >= 1:
                continue
            merged = _merge(scores[:, start:end], theta.alpha[domain])
            order = np.argsort(merged)
            up_to = np.cumsum(tokens[start:end][order])
            place = np.searchsorted(up_to, share * up_to[-1])
            limits[domain] = merged[order[min(place, n - 1)]]
        return limits

    def _ranked(self, theta: Theta, limits: FloatArray) -> Best:
        """All documents up to the limits, ranked."""
        # Bounds are added in the same order as merged scores, and rounding is monotone: no bound
        # exceeds a merged score of its block.
        bounds = _merge(self.lows, theta.alpha[self.block_domains].T)
        rows = np.flatnonzero(bounds <= limits[self.block_domains])
        row_domains = self.block_domains[rows]
        alpha = theta.alpha[row_domains].T[:, :, None]
        merged_rows = _merge([scores[rows] for scores in self.sigma], alpha)
        found = np.flatnonzero(merged_rows <= limits[row_domains][:, None])
        row_of = found // BLOCK
        places = rows[row_of] * BLOCK + found % BLOCK
        return self._rank(places, row_domains[row_of].astype(np.int64), merged_rows.ravel()[found])

    def _rank(self, places: IntArray, domains: IntArray, merged: FloatArray) -> Best:
        starts = np.searchsorted(domains, np.arange(self.n_domains + 1))
        order = np.empty(len(places), np.int64)
        for start, end in pairwise(starts):
            order[start:end] = start + np.argsort(merged[start:end])
        # Adding 0.0 turns -0.0 into 0.0, as `merge_scores` does by starting from 0.
        places, merged = places[order], merged[order] + 0.0
        n_up_to = np.concatenate([[0], np.cumsum(self.tokens[places])])
        is_last = np.empty(len(places), bool)
        np.not_equal(merged[1:], merged[:-1], out=is_last[:-1])
        is_last[starts[1:][starts[1:] > starts[:-1]] - 1] = True
        lasts = np.flatnonzero(is_last)
        of_group = domains[lasts]
        n_as_good = n_up_to[lasts + 1] - n_up_to[starts[of_group]]
        ranks = np.repeat(share_of(n_as_good, self.n_tokens[of_group]), np.diff(lasts, prepend=-1))
        return Best(places, domains, merged, ranks)

    def _too_low(self, ranked: Best, theta: Theta, limits: FloatArray) -> NDArray[np.bool_]:
        """The domains (M,) in which a rank <= omega may be beyond the limit."""
        worst = np.zeros(self.n_domains)
        worst[ranked.domains] = ranked.ranks  # ascending in each domain, so the last one stays
        return np.isfinite(limits) & (worst <= theta.omega)


def _load(path: Path) -> NDArray[Any]:
    # NumPy cannot memory-map a file without data, which the index of an empty pool has.
    array = np.load(path, mmap_mode="r") if path.stat().st_size > 4096 else np.load(path)
    return np.asarray(array)


def _merge(scores: Any, alpha: NDArray[Any]) -> FloatArray:
    """Eq. 1 for criteria along the first axis, adding in the same order as `merge_scores`."""
    pairs: Iterator[tuple[FloatArray, FloatArray]] = zip(scores, alpha, strict=True)
    first, weight = next(pairs)
    merged = first * weight
    for values, weight in pairs:
        merged += values * weight
    return merged


def _inside(ranked: Best, theta: Theta) -> Best:
    within = np.flatnonzero(ranked.ranks <= theta.omega[ranked.domains])
    return Best(*(getattr(ranked, field.name)[within] for field in fields(ranked)))
