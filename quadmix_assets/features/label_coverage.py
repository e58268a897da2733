"""Which share of the pool's documents has a domain, from the footers of the labels alone."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from quadmix_assets.outputs import DOMAIN_LABELS
from quadmix_assets.settings import UNKNOWN_DOMAIN
from quadmix_assets.store import MissingOutputError, Store, all_described


@dataclass(frozen=True)
class LabelCoverage:
    """Documents with and without a domain.

    Attributes:
        documents: of every domain that has some; `unknown` is one of them.
        unknown_by_shard: share of the documents of each shard that are `unknown`, in [0, 1];
            shards without documents are left out.
    """

    documents: dict[str, int]
    unknown_by_shard: dict[str, float]

    @property
    def n_documents(self) -> int:
        """Documents of all shards."""
        return sum(self.documents.values())

    @property
    def n_unknown(self) -> int:
        """Documents whose domain is `unknown`."""
        return self.documents.get(UNKNOWN_DOMAIN, 0)

    @property
    def unknown_share(self) -> float:
        """Share of all documents whose domain is `unknown`, in [0, 1]; 0 without documents."""
        return self.n_unknown / max(self.n_documents, 1)

    @property
    def is_empty(self) -> bool:
        """Whether there are documents, and none of them has a domain."""
        return 0 < self.n_documents == self.n_unknown

    def in_words(self, limit: float) -> str:
        """The share of `unknown` documents, and, where it is above `limit`, what to do."""
        found = f"{self.n_unknown:,} of {self.n_documents:,} documents have the domain 'unknown'"
        if self.is_empty:
            return (
                f"all {self.n_documents:,} documents have the domain 'unknown', so that the mix "
                "would know no domains: lower features.domains.confidence_floor, or choose another "
                "classifier (features.domains.kind); then materialise fitted_models and "
                "domain_labels again"
            )
        if self.unknown_share <= limit:
            return f"{found} ({self.unknown_share:.1%}, limit {limit:.0%})"
        worst = max(self.unknown_by_shard, key=lambda key: self.unknown_by_shard[key])
        return (
            f"{found} ({self.unknown_share:.1%}, limit {limit:.0%}); the most in the shard "
            f"{worst!r} ({self.unknown_by_shard[worst]:.1%}): lower "
            "features.domains.confidence_floor, give the classifier examples or names of the "
            "missing domains, or raise features.max_unknown_share; then materialise fitted_models "
            "and domain_labels again"
        )


def label_coverage(store: Store, shards: Sequence[str]) -> LabelCoverage:
    """Count the documents of each domain in `shards`.

    Raises:
        MissingOutputError: a shard is not labelled, or was labelled by an earlier version, which
            stored no counts.
    """
    documents: Counter[str] = Counter()
    unknown = {}
    for shard, table in all_described(store, DOMAIN_LABELS, shards).items():
        counts = table.summary.get("counts")
        if counts is None:
            raise MissingOutputError(
                f"{store.table_path(DOMAIN_LABELS, shard)} has no counts of its domains, as it was "
                f"written by an earlier version: materialise the asset {DOMAIN_LABELS!r}, "
                f"partition {shard!r}, again"
            )
        documents.update(counts)
        if total := sum(counts.values()):
            unknown[shard] = counts.get(UNKNOWN_DOMAIN, 0) / total
    return LabelCoverage(dict(documents), unknown)
