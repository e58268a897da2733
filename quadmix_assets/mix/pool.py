"""Reads what the rule of a mix decides on: the scored documents of shards, with sigma."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from quadmix_assets.features.normalize_pool import load_normalizers
from quadmix_assets.features.normalizers import Normalizer
from quadmix_assets.features.scored_documents import (
    Ids,
    ScoredDocuments,
    iter_scored,
    read_hashed,
    read_scored,
)
from quadmix_assets.mix.documents import Documents
from quadmix_assets.settings import NamedMix, Settings
from quadmix_assets.splitmix64 import UIntArray
from quadmix_assets.store import Store


def read_documents(
    store: Store,
    shards: Sequence[str],
    settings: Settings,
    mix: NamedMix,
    *,
    score_names: Sequence[str] | None = None,
    normalizers: Mapping[str, Normalizer] | None = None,
) -> Documents:
    """The scored documents of `shards`, in the order given, rows in the order of the shard.

    Args:
        store: the lake.
        shards: scored and labelled ones.
        settings: of the profile.
        mix: whose rule is to decide.
        score_names: the score columns to read; None: those that the mix's rule reads.
        normalizers: those of `read_normalizers`; None: they are read.

    Raises:
        MissingOutputError: a shard is not scored or not labelled, or a normalizer is not there.
        ValueError: see `read_scored`.
    """
    names = tuple(settings.score_columns_of(mix) if score_names is None else score_names)
    return Documents(
        scored=read_scored(store, shards, names, settings.domain_names),
        score_names=names,
        domain_names=settings.domain_names,
        normalizers=read_normalizers(store, settings, mix) if normalizers is None else normalizers,
    )


def read_normalizers(store: Store, settings: Settings, mix: NamedMix) -> dict[str, Normalizer]:
    """sigma of the criteria, by name, where the rule of a mix reads normalized scores.

    Raises:
        MissingOutputError: a criterion has no fitted normalizer.
    """
    names = settings.criterion_names if mix.normalized else ()
    return dict(zip(names, load_normalizers(store, names), strict=True))


@dataclass(frozen=True, eq=False)
class PoolOfShards:
    """The pool that the rule of a mix is fitted on; see `Pool`.

    Attributes:
        store: the lake.
        shards: scored and labelled ones.
        score_names: the score columns that are read.
        domain_names: of the settings.
        normalizers: sigma of the criteria that have one, by name.
        left_out: sorted hashes of the ids of documents that are no part of it.
    """

    store: Store
    shards: tuple[str, ...]
    score_names: tuple[str, ...]
    domain_names: tuple[str, ...]
    normalizers: Mapping[str, Normalizer]
    left_out: UIntArray = field(default_factory=lambda: np.empty(0, dtype=np.uint64))

    @classmethod
    def of_mix(
        cls, store: Store, shards: Sequence[str], settings: Settings, mix: NamedMix
    ) -> "PoolOfShards":
        """With the columns that the rule of a mix reads.

        Raises:
            MissingOutputError: a normalizer is not there.
        """
        names = tuple(settings.score_columns_of(mix))
        normalizers = read_normalizers(store, settings, mix)
        return cls(store, tuple(sorted(shards)), names, settings.domain_names, normalizers)

    @property
    def n_domains(self) -> int:
        """M, the number of domains."""
        return len(self.domain_names)

    def without(self, id_hashes: UIntArray) -> "PoolOfShards":
        """The pool without documents whose ids have these hashes."""
        return replace(self, left_out=np.sort(id_hashes))

    def parts(self, *, hashed: bool) -> Iterator[Documents]:
        """See `Pool`: shard by shard, or parts of the whole where that is held already."""
        if "whole_pool" in self.__dict__:
            yield from self.whole_pool.parts()
            return
        ids: Ids = "hashes" if hashed or len(self.left_out) else "none"
        for part in iter_scored(
            self.store, self.shards, self.score_names, self.domain_names, ids=ids
        ):
            yield self._kept(part)

    def whole(self) -> Documents:
        """See `Pool`; it is held from then on."""
        return self.whole_pool

    @cached_property
    def whole_pool(self) -> Documents:
        """All documents."""
        return self._kept(read_hashed(self.store, self.shards, self.score_names, self.domain_names))

    def _kept(self, scored: ScoredDocuments) -> Documents:
        documents = Documents(scored, self.score_names, self.domain_names, self.normalizers)
        if not len(self.left_out):
            return documents
        places = np.searchsorted(self.left_out, documents.id_hashes)
        found = self.left_out[np.minimum(places, len(self.left_out) - 1)]
        return documents.where(found != documents.id_hashes)
