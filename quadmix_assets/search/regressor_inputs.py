"""What a regressor sees of a theta: its entries, or the mix that it makes.

The entries of theta are redundant, a limitation that the paper names: very different beta give
nearly the same sampling curve, and the entries of a domain with few tokens in the mix have no
effect. The mix describes a theta by what a loss depends on: how many tokens come from which domain,
and their quality by each criterion.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl

from quadmix_assets.outputs import PROXY_POOL
from quadmix_assets.proxies.proxy_pool import read_documents
from quadmix_assets.sampling import Parameters, PoolIndex, feature_names
from quadmix_assets.sampling.validation import FloatArray, IntArray
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store

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
class PoolDocuments:
    """The documents of the proxy pool by the hash of their id.

    Attributes:
        id_hashes: (D,) uint64, ascending.
        domains: (D,) domain indices.
        sigma: (D, N) normalized scores.
    """

    id_hashes: np.ndarray
    domains: IntArray
    sigma: FloatArray

    @classmethod
    def of(cls, columns: Mapping[str, np.ndarray], criteria: Sequence[str]) -> "PoolDocuments":
        """From the columns id_hash, domain and sigma_<criterion> of a proxy pool."""
        order = np.argsort(columns["id_hash"])
        sigma = np.stack([columns[f"sigma_{name}"][order] for name in criteria], axis=1)
        return cls(columns["id_hash"][order], columns["domain"][order].astype(np.int64), sigma)

    def find(self, id_hashes: np.ndarray) -> IntArray:
        """Positions (n,) of documents; -1 for those that the pool does not hold."""
        places = np.searchsorted(self.id_hashes, id_hashes)
        places = np.minimum(places, max(len(self.id_hashes) - 1, 0))
        if not len(self.id_hashes):
            return np.full(len(id_hashes), -1)
        return np.where(self.id_hashes[places] == id_hashes, places, -1)


@dataclass(frozen=True, eq=False)
class MixtureInputs:
    """The mix that a theta makes of the proxy pool: in expectation, or as a proxy has read it.

    Regressors are fitted to what proxies read, and predict mixes in expectation: a proxy reads a
    small part of its sample, and its loss belongs to that part.

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

    def realised(
        self, documents: PoolDocuments, reads: pl.DataFrame, samples: pl.DataFrame
    ) -> FloatArray:
        """The matrix (n, F) of what n proxies read.

        Documents that the pool does not hold are left out.

        Args:
            documents: of the proxy pool.
            reads: theta_id, id_hash, n_tokens: what each proxy read.
            samples: n rows theta_id, n_tokens_sample: the proxies, in the order of the matrix, and
                the tokens of the samples that they read a part of. theta_ids are distinct.
        """
        n, n_domains = samples.height, len(self.domains)
        rows = reads.join(samples.with_row_index("row"), on="theta_id")
        places = documents.find(rows["id_hash"].to_numpy())
        known = places >= 0
        places, row = places[known], rows["row"].to_numpy()[known].astype(np.int64)
        tokens = rows["n_tokens"].to_numpy()[known].astype(np.float64)
        group = row * n_domains + documents.domains[places]

        def summed(values: FloatArray) -> FloatArray:
            totals = np.bincount(group, values, n * n_domains).astype(np.float64)
            return totals.reshape(n, n_domains)

        of_domain = summed(tokens)
        sums = [summed(tokens * scores[places]) for scores in documents.sigma.T]
        taken = of_domain[:, :, None]
        means = np.where(
            taken > 0, np.stack(sums, 2) / np.where(taken > 0, taken, 1.0), self._domain_means
        )
        share = of_domain / np.maximum(of_domain.sum(axis=1, keepdims=True), 1.0)
        return self._columns(share, means, samples["n_tokens_sample"].to_numpy().astype(np.float64))

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
        return self._columns(share, means, total[:, 0])

    def _columns(self, share: FloatArray, means: FloatArray, n_tokens: FloatArray) -> FloatArray:
        """The matrix of mixes with shares (n, M), mean sigma (n, M, N) and tokens (n,)."""
        gain = share[:, :, None] * (means - self._domain_means)
        return np.concatenate(
            [
                share,
                np.einsum("nm,nmk->nk", share, means),
                np.log(np.maximum(n_tokens, 1.0))[:, None],
                gain.reshape(len(share), -1),
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


def read_pool_documents(store: Store, settings: Settings) -> PoolDocuments:
    """The documents of the proxy pool.

    Raises:
        MissingOutputError: the proxy pool is not there.
    """
    columns = ["id_hash", "domain", *(f"sigma_{name}" for name in settings.criterion_names)]
    with store.local_folder(store.root / PROXY_POOL) as folder:
        documents = read_documents(Path(folder), columns)
    return PoolDocuments.of(documents, settings.criterion_names)
