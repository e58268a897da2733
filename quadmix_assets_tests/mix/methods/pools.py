"""Small pools of documents for the tests of methods."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl
from hypothesis import strategies as st

from quadmix_assets.features.normalizers import fit_normalizer
from quadmix_assets.features.scored_documents import ScoredDocuments
from quadmix_assets.mix.documents import Documents
from quadmix_assets.mix.rule import Rule

SEED = 5


def pool_of(
    n_tokens: Sequence[int] | np.ndarray,
    domains: Sequence[int] | np.ndarray,
    scores: Mapping[str, Sequence[float] | np.ndarray] | None = None,
    *,
    n_domains: int = 4,
) -> Documents:
    """Documents d0, d1, ... with their normalizers of kind rank."""
    columns = {
        name: np.asarray(values, dtype=np.float64) for name, values in (scores or {}).items()
    }
    tokens = np.asarray(n_tokens, dtype=np.int64)
    matrix = np.column_stack(list(columns.values())) if columns else np.empty((len(tokens), 0))
    return Documents(
        scored=ScoredDocuments(
            ids=pl.Series([f"d{i}" for i in range(len(tokens))], dtype=pl.String),
            n_tokens=tokens,
            domains=np.asarray(domains, dtype=np.int32),
            scores=matrix,
        ),
        score_names=tuple(columns),
        domain_names=tuple(f"domain{m}" for m in range(n_domains)),
        normalizers={
            name: fit_normalizer("rank", values, tokens, max_breakpoints=1000)
            for name, values in columns.items()
            if tokens.any()
        },
    )


def random_pool(n: int = 3_000, n_domains: int = 4, *, seed: int = 0) -> Documents:
    """Documents with two scores, of which `coarse` has many ties."""
    rng = np.random.default_rng(seed)
    return pool_of(
        np.ceil(rng.lognormal(5, 1, n)),
        rng.choice(n_domains, n, p=np.array([0.6, 0.3, 0.09, 0.01])[:n_domains]),
        {"fine": rng.normal(size=n), "coarse": rng.integers(0, 6, n)},
        n_domains=n_domains,
    )


class InPieces:
    """A pool whose documents come in pieces that end at some positions."""

    def __init__(self, documents: Documents, ends: Sequence[int]) -> None:
        self.documents = documents
        self.pieces = np.split(np.arange(len(documents)), ends)
        self.n_read = 0

    @property
    def n_domains(self) -> int:
        return self.documents.n_domains

    def parts(self, *, hashed: bool) -> Iterator[Documents]:
        self.n_read += 1
        for piece in self.pieces:
            yield self.documents.where(piece)

    def whole(self) -> Documents:
        raise AssertionError("held at once")


def tokens_of(rule: Rule, pool: Documents) -> int:
    """Tokens that a rule takes of a pool, copies included."""
    return int((rule.decide(pool).copies * pool.n_tokens).sum())


small_pools = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 3), st.integers(0, 5), st.integers(0, 5)),
    min_size=1,
    max_size=25,
).map(
    lambda rows: pool_of(
        [row[0] for row in rows],
        [row[1] for row in rows],
        {"fine": [row[2] for row in rows], "coarse": [row[3] for row in rows]},
    )
)
"""Up to 25 documents with many ties, empty ones among them."""
