"""What a mix decides on: ids, tokens, domains and scores of documents, never their text."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import polars as pl

from quadmix_assets.features.normalizers import Normalizer
from quadmix_assets.features.scored_documents import ScoredDocuments
from quadmix_assets.sampling.validation import FloatArray, IntArray

WHOLE_POOL = "the whole pool"
_PART_ROWS = 1 << 18


class Pool(Protocol):
    """What a rule is fitted on: scored documents that are read part by part, or held at once."""

    @property
    def n_domains(self) -> int:
        """M, the number of domains."""

    def parts(self, *, hashed: bool) -> "Iterator[Documents]":
        """All documents in parts, always in the same order; none of them is kept.

        Args:
            hashed: whether the hashes of ids are needed, which take as long as all else.

        Raises:
            MissingOutputError: a shard is not scored or not labelled.
            ValueError: see `read_scored`.
        """

    def whole(self) -> "Documents":
        """All documents at once, with hashes in place of their ids.

        Raises:
            MissingOutputError: see `parts`.
            ValueError: see `parts`.
        """


@dataclass(frozen=True, eq=False)
class Documents:
    """D documents of the pool that a rule is fitted on, or of one shard that it is applied to.

    Attributes:
        scored: ids, tokens, domains and raw scores (D, K).
        score_names: the K score columns, in the order of the scores.
        domain_names: the M domains.
        normalizers: sigma of the criteria that have one, by name.
    """

    scored: ScoredDocuments
    score_names: tuple[str, ...]
    domain_names: tuple[str, ...]
    normalizers: Mapping[str, Normalizer]

    def __len__(self) -> int:
        """D, the number of documents."""
        return len(self.scored)

    @property
    def n_tokens(self) -> np.ndarray:
        """(D,) int64 token counts."""
        return self.scored.n_tokens

    @property
    def domains(self) -> np.ndarray:
        """(D,) index into the domain names."""
        return self.scored.domains

    @property
    def id_hashes(self) -> np.ndarray:
        """(D,) uint64 hashes of the ids, which random draws are derived from."""
        return self.scored.id_hashes

    @property
    def n_domains(self) -> int:
        """M, the number of domains."""
        return len(self.domain_names)

    def tokens_per_domain(self, copies: IntArray | None = None) -> IntArray:
        """(M,) tokens of each domain, with as many copies (D,) of the documents; None: of each one.

        Whole numbers, so that totals are exact.
        """
        sums = np.zeros(self.n_domains, dtype=np.int64)
        np.add.at(sums, self.domains, self.n_tokens if copies is None else self.n_tokens * copies)
        return sums

    def score(self, name: str) -> FloatArray:
        """(D,) raw scores by one criterion, larger is better.

        Raises:
            ValueError: the documents have no such score column.
        """
        if name not in self.score_names:
            raise ValueError(
                f"there is no score column {name!r}; there are: {', '.join(self.score_names)}"
            )
        return np.asarray(self.scored.scores[:, self.score_names.index(name)])

    def sigma(self, *names: str) -> FloatArray:
        """(D, len(names)) normalized scores, smaller is better.

        Raises:
            ValueError: a criterion has no normalizer.
        """
        missing = [name for name in names if name not in self.normalizers]
        if missing:
            raise ValueError(f"there is no normalizer of {', '.join(missing)}")
        for name in names:
            if name not in self._sigma:
                self._sigma[name] = self.normalizers[name].apply(self.score(name))
        return np.column_stack([self._sigma[name] for name in names])

    @cached_property
    def _sigma(self) -> dict[str, FloatArray]:
        """Normalized scores (D,) by criterion, for a rule that is fitted and then decides."""
        return {}

    def as_one_domain(self) -> "Documents":
        """The same documents in one domain that is the whole pool."""
        one = replace(self.scored, domains=np.zeros_like(self.domains))
        # Not hashed again: ids are the dearest part.
        one.__dict__["id_hashes"] = self.id_hashes
        return replace(self, scored=one, domain_names=(WHOLE_POOL,))

    def where(self, chosen: np.ndarray) -> "Documents":
        """Some of the documents: a mask (D,) or positions."""
        scored = self.scored
        positions = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        some = replace(
            scored,
            ids=scored.ids[positions],
            n_tokens=scored.n_tokens[positions],
            domains=scored.domains[positions],
            scores=scored.scores[positions],
        )
        # The hashes of ids are the dearest part; those that are known are not made again.
        if "id_hashes" in scored.__dict__:
            some.__dict__["id_hashes"] = scored.id_hashes[positions]
        documents = replace(self, scored=some)
        documents._sigma.update({name: sigma[positions] for name, sigma in self._sigma.items()})
        return documents

    def parts(self, *, hashed: bool = True) -> "Iterator[Documents]":
        """See `Pool`: some rows at a time, so that what is computed of them stays small."""
        for start in range(0, max(len(self), 1), _PART_ROWS):
            yield self.where(np.arange(start, min(start + _PART_ROWS, len(self))))

    def whole(self) -> "Documents":
        """See `Pool`."""
        return self


def one_document(
    document_id: str,
    n_tokens: int,
    domain: int,
    scores: Mapping[str, float],
    domain_names: tuple[str, ...],
    normalizers: Mapping[str, Normalizer],
) -> Documents:
    """A single document as rules take it.

    Args:
        document_id: its id.
        n_tokens: its length.
        domain: index into the domain names.
        scores: raw scores by score column, larger is better.
        domain_names: the M domains that the rule knows.
        normalizers: sigma of the criteria that have one, by name.
    """
    scored = ScoredDocuments(
        ids=pl.Series([document_id]),
        n_tokens=np.array([n_tokens], dtype=np.int64),
        domains=np.array([domain], dtype=np.int32),
        scores=np.array([list(scores.values())], dtype=np.float64),
    )
    return Documents(scored, tuple(scores), domain_names, normalizers)
