"""Simulated worlds for `benchmarks.search`: pools with a known loss of every theta.

A world is a small pool whose documents have scores by three criteria, and a true worth that the
criteria see only in part. The true loss of a theta follows from the documents that it takes, by
the method's own equations. A proxy measures it with noise.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import numpy as np

from quadmix_assets.sampling import Parameters, PoolIndex
from quadmix_assets.search.regressor_inputs import MixtureInputs
from quadmix_assets.search.space import ThetaSpace

Kind = Literal["additive", "interacting", "useless_tails"]
KINDS: tuple[Kind, ...] = get_args(Kind)

N_CRITERIA, N_DOMAINS, OMEGA_MAX = 3, 8, 0.3
_N_DOCUMENTS, _N_SKILLS = 800, 5
# Documents with a better score by the first criterion are useless where tails are.
_TAIL = 0.08
# Thetas that the spread of true losses is taken over.
_N_SPREAD = 512


@dataclass(frozen=True, eq=False)
class World:
    """A pool and what makes a mix of it good.

    Attributes:
        kind: additive: the loss is linear in the tokens' worth; interacting: skills that several
            domains feed, with diminishing returns; useless_tails: as interacting, and documents
            with the very best scores by the first criterion are worth nothing.
        sigma: by domain, (d, N) normalized scores.
        tokens: by domain, (d,).
        worth: by domain, (d,) of its documents.
        skills: (K, M) how much a domain feeds each skill.
        inputs_of: what regressors see of a theta.
        space: the thetas.
    """

    kind: Kind
    sigma: tuple[np.ndarray, ...]
    tokens: tuple[np.ndarray, ...]
    worth: tuple[np.ndarray, ...]
    skills: np.ndarray
    inputs_of: MixtureInputs
    space: ThetaSpace

    @classmethod
    def make(cls, kind: Kind, seed: int) -> "World":
        """A world of that kind; the seed draws its pool and its preferences."""
        rng = np.random.default_rng([KINDS.index(kind), seed])
        shares = rng.dirichlet(np.full(N_DOMAINS, 2.0))
        domains = np.sort(rng.choice(N_DOMAINS, _N_DOCUMENTS, p=shares))
        quality = rng.normal(size=_N_DOCUMENTS)
        # Every criterion sees quality through noise of its own: the first best, the last least.
        seen = quality[:, None] + rng.normal(size=(_N_DOCUMENTS, N_CRITERIA)) * [0.7, 1.2, 2.5]
        sigma = (seen.argsort(axis=0)[::-1].argsort(axis=0) + 1) / _N_DOCUMENTS
        tokens = np.ceil(rng.lognormal(6.0, 0.8, _N_DOCUMENTS)).astype(np.int64)
        worth = np.exp(0.5 * quality)
        if kind == "useless_tails":
            worth = np.where(sigma[:, 0] < _TAIL, 0.0, worth)
        skills = rng.gamma(0.4, size=(1 if kind == "additive" else _N_SKILLS, N_DOMAINS))
        index = PoolIndex.build(sigma, domains, tokens, N_DOMAINS)
        names = [f"d{m}" for m in range(N_DOMAINS)]
        cuts = np.searchsorted(domains, np.arange(N_DOMAINS + 1)).tolist()
        parts = [slice(start, end) for start, end in pairwise(cuts)]
        return cls(
            kind,
            tuple(sigma[part] for part in parts),
            tuple(tokens[part].astype(np.float64) for part in parts),
            tuple(worth[part] for part in parts),
            skills / skills.sum(axis=1, keepdims=True),
            MixtureInputs.of(index, [f"c{k}" for k in range(N_CRITERIA)], names),
            ThetaSpace(N_CRITERIA, N_DOMAINS, index.n_tokens.astype(np.float64), OMEGA_MAX),
        )

    def true_losses(self, thetas: Parameters) -> np.ndarray:
        """The loss (n,) of every theta without noise."""
        taken = np.zeros((len(thetas), N_DOMAINS))
        useful = np.zeros_like(taken)
        for m, (sigma, tokens, worth) in enumerate(
            zip(self.sigma, self.tokens, self.worth, strict=True)
        ):
            if not len(tokens):
                continue
            order = np.argsort(thetas.alpha[:, m] @ sigma.T, axis=1)
            of_rank = tokens[order]
            ranks = np.cumsum(of_rank, axis=1) / tokens.sum()
            lam, omega, eta, epsilon, scale = (v[:, m, None] for v in thetas.beta.values())
            decay = np.exp(-lam * np.maximum(omega - ranks, 0.0))
            copies = np.where(ranks <= omega, scale * (2 / (1 + decay)) ** eta, 0.0) + epsilon
            taken[:, m] = (copies * of_rank).sum(axis=1)
            useful[:, m] = (copies * of_rank * worth[order]).sum(axis=1)
        fed = (useful / taken.sum(axis=1, keepdims=True)) @ self.skills.T
        if self.kind == "additive":
            return np.asarray(5.0 - fed[:, 0])
        return np.asarray(5.0 - np.log(0.05 + fed).mean(axis=1))

    def spread(self) -> float:
        """Standard deviation of the true losses of random thetas."""
        return float(self.true_losses(self.space.draw(_N_SPREAD, seed=1)).std())
