"""What a regressor sees of a theta: its entries, or the mix that it makes.

The entries of theta are redundant, a limitation that the paper names: very different beta give
nearly the same sampling curve, and the entries of a domain with few tokens in the mix have no
effect. The mix describes a theta by what a loss depends on: how many tokens come from which domain,
and their quality by each criterion.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import numpy as np

from quadmix_assets.sampling import Parameters, PoolIndex, feature_names
from quadmix_assets.sampling.validation import FloatArray

# Documents on which the mean sigma of a mix is estimated, in total and per domain at least.
_SAMPLE = 8_192
_MIN_PER_DOMAIN = 64
# Thetas x documents in one chunk; it bounds memory.
_CHUNK = 1 << 21


class RegressorInputs(Protocol):
    """Thetas -> the matrix that regressors are fitted to."""

    @property
    def names(self) -> Sequence[str]:
        """The columns (F)."""

    def __call__(self, parameters: Parameters) -> FloatArray:
        """The matrix (n, F) of n thetas."""


@dataclass(frozen=True)
class ThetaInputs:
    """The entries of theta themselves, as in the paper."""

    criteria: Sequence[str]
    domains: Sequence[str]
    scaled: bool

    @property
    def names(self) -> Sequence[str]:
        """The columns (F)."""
        return feature_names(self.criteria, self.domains, scaled=self.scaled)

    def __call__(self, parameters: Parameters) -> FloatArray:
        """The matrix (n, F) of n thetas."""
        return parameters.as_features(scaled=self.scaled)


@dataclass(frozen=True, eq=False)
class MixtureInputs:
    """The mix that a theta makes of the proxy pool, in expectation.

    Columns: the token share of every domain; the mean sigma of every criterion over the mix; the
    logarithm of the mix's tokens; and per domain and criterion the mean sigma of the documents
    taken less that of the whole domain, times the domain's share of the mix.

    Shares are integrals of the sampling functions. Means are estimated on a sample of the proxy
    pool, spread evenly over the scores of each domain.

    Attributes:
        criteria, domains: names.
        n_tokens: (M,) tokens of the proxy pool's domains.
        sigma: by domain, (d, N) normalized scores of its documents in the sample.
        weights: by domain, (d,) their tokens.
    """

    criteria: Sequence[str]
    domains: Sequence[str]
    n_tokens: FloatArray
    sigma: Sequence[FloatArray]
    weights: Sequence[FloatArray]

    @classmethod
    def of(
        cls, index: PoolIndex, criteria: Sequence[str], domains: Sequence[str]
    ) -> "MixtureInputs":
        """Inputs for mixes of the proxy pool with that index."""
        places = np.flatnonzero(index.documents >= 0)
        of_domain = index.domains_of(places)
        starts = np.searchsorted(of_domain, np.arange(index.n_domains + 1))
        flat = index.sigma.reshape(index.n_criteria, -1)
        sigma, weights = [], []
        for start, end in pairwise(starts.tolist()):
            n = end - start
            wanted = max(_MIN_PER_DOMAIN, round(_SAMPLE * n / max(len(places), 1)))
            rows = places[start:end]
            # Neighbours in the index have similar scores: even steps spread the sample over them.
            rows = rows[np.unique(np.linspace(0, max(n - 1, 0), min(wanted, n)).astype(np.int64))]
            sigma.append(np.ascontiguousarray(flat[:, rows].T))
            weights.append(index.tokens[rows].astype(np.float64))
        return cls(criteria, domains, index.n_tokens.astype(np.float64), sigma, weights)

    @property
    def names(self) -> Sequence[str]:
        """The columns (F)."""
        return [
            *(f"share[{domain}]" for domain in self.domains),
            *(f"sigma[{criterion}]" for criterion in self.criteria),
            "log_tokens",
            *(f"gain[{domain},{name}]" for domain in self.domains for name in self.criteria),
        ]

    def __call__(self, parameters: Parameters) -> FloatArray:
        """The matrix (n, F) of n thetas."""
        n_documents = sum(map(len, self.weights))
        size = max(1, _CHUNK // max(n_documents, 1))
        parts = [
            self._of_chunk(parameters[start : start + size])
            for start in range(0, len(parameters), size)
        ]
        return np.concatenate(parts) if parts else np.empty((0, len(self.names)))

    @cached_property
    def _domain_means(self) -> FloatArray:
        """(M, N) mean sigma of whole domains; 1/2 for a domain without tokens."""
        means = np.full((len(self.domains), len(self.criteria)), 0.5)
        for m, (sigma, weights) in enumerate(zip(self.sigma, self.weights, strict=True)):
            if weights.sum() > 0:
                means[m] = weights @ sigma / weights.sum()
        return means

    def _of_chunk(self, parameters: Parameters) -> FloatArray:
        tokens = self.n_tokens * parameters.expectation().epochs
        total = tokens.sum(axis=1, keepdims=True)
        share = tokens / np.maximum(total, 1.0)
        means = np.stack([self._taken_means(parameters, m) for m in range(len(self.domains))], 1)
        gain = share[:, :, None] * (means - self._domain_means)
        return np.concatenate(
            [
                share,
                np.einsum("nm,nmk->nk", share, means),
                np.log(np.maximum(total, 1.0)),
                gain.reshape(len(parameters), -1),
            ],
            axis=1,
        )

    def _taken_means(self, parameters: Parameters, m: int) -> FloatArray:
        """(n, N) mean sigma of the documents that n thetas take from domain m."""
        sigma, weights = self.sigma[m], self.weights[m]
        whole = weights.sum()
        if whole == 0:
            return np.broadcast_to(self._domain_means[m], (len(parameters), len(self.criteria)))
        order = np.argsort(parameters.alpha[:, m] @ sigma.T, axis=1)
        ordered = weights[order]
        # In so small a sample ranks at a document's last token (Eq. 2) are biased: take its middle.
        ranks = (np.cumsum(ordered, axis=1) - ordered / 2) / whole
        lam, omega, eta, epsilon, scale = (v[:, m, None] for v in parameters.beta.values())
        decay = np.exp(-lam * np.maximum(omega - ranks, 0.0))
        values = np.where(ranks <= omega, scale * (2.0 / (1.0 + decay)) ** eta, 0.0) + epsilon
        taken = values * ordered
        total = taken.sum(axis=1, keepdims=True)
        means = np.stack([(taken * sigma[order, k]).sum(axis=1) for k in range(sigma.shape[1])], 1)
        return np.where(total > 0, means / np.where(total > 0, total, 1.0), self._domain_means[m])
