"""Domains for pools without labels: k-means on embeddings of a sample of the pool."""

from __future__ import annotations

import io
import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from quadmix_assets.features.domains.base import DomainClassifier
from quadmix_assets.features.domains.word_vectors import WordVectors
from quadmix_assets.features.fasttext_model import has_words
from quadmix_assets.features.learned.pinned import NotFittedError
from quadmix_assets.features.learned.published import Published
from quadmix_assets.hashing import hash_number
from quadmix_assets.settings.base import Name, PositiveInt
from quadmix_assets.settings.domains import UNKNOWN_DOMAIN, DomainsSettings

if TYPE_CHECKING:
    from quadmix_assets.features.inference.sentence import SentenceEncoder

_CENTRES, _DESCRIPTION, _VECTORS = "centres.npy", "clusters.json", "vectors.bin"
_N_TYPICAL_WORDS = 12
_WORD = re.compile(r"[^\W\d_]{3,}")


class ClustersSettings(DomainsSettings):
    """Domains found by k-means on embeddings, for pools without any labels."""

    kind: Literal["clusters"]
    names: tuple[Name, ...] = Field(
        default=(),
        description="a name for each cluster, the largest first; by default cluster_00, "
        "cluster_01 and so on",
    )
    k: Annotated[int, Field(ge=2)] = Field(
        default=16,
        description="number of clusters; each adds N + 4 entries to theta for N criteria, so that "
        "few proxies call for few clusters",
    )
    encoder: Literal["fasttext", "sentence"] = Field(
        default="fasttext",
        description="word vectors trained on the sample (fast, nothing is downloaded), or a "
        "published sentence encoder",
    )
    model: str = Field(
        default="sentence-transformers/all-MiniLM-L6-v2",
        description="hub id or folder of the sentence encoder (with encoder: sentence); the "
        "default is a small one",
    )
    revision: str = Field(
        default="main",
        description="commit, branch or tag of a model of the hub; a branch is resolved to a commit "
        "once, by fitted_models",
    )
    max_tokens: PositiveInt = Field(
        default=256,
        description="tokens that the sentence encoder reads of a document; 256 is the default "
        "model's context",
    )
    n_pool_documents: PositiveInt = Field(
        default=20_000, description="documents sampled from the pool to fit the clusters"
    )
    dimension: PositiveInt = Field(
        default=64, description="length of the word vectors (with encoder: fasttext)"
    )

    def implementation(self) -> type[_Clusters]:
        """See `DomainsSettings`."""
        return FasttextClusters if self.encoder == "fasttext" else SentenceClusters

    @property
    def pool_sample_size(self) -> int:
        """The setting `n_pool_documents`."""
        return self.n_pool_documents

    @property
    def runs_network(self) -> bool:
        """True with a sentence encoder."""
        return self.encoder == "sentence"

    @model_validator(mode="before")
    @classmethod
    def _numbered_names(cls, values: Any) -> Any:
        # The default names depend on k, so they cannot be a constant default.
        if isinstance(values, dict) and values.get("names") is None:
            k = int(values.get("k", cls.model_fields["k"].default))
            values = {**values, "names": [f"cluster_{number:02d}" for number in range(k)]}
        return values

    @model_validator(mode="after")
    def _one_name_per_cluster(self) -> ClustersSettings:
        if len(self.names) != self.k:
            raise ValueError(
                f"names has {len(self.names)} entries for k = {self.k} clusters: name each of "
                "them, the largest first, or leave names out"
            )
        return self


class _Clusters(DomainClassifier[ClustersSettings]):
    """The domain of a document is the cluster with the nearest centre.

    The confidence is 1 - d1/d2 for the distances to the nearest and the second nearest centre: 0
    on the border between two clusters, 1 at a centre. Clusters are named by the settings, the
    largest in the sample first. Documents without words are `unknown`.
    """

    code_version = "1"
    _centres: np.ndarray | None = None
    _description: pl.DataFrame | None = None

    @abstractmethod
    def _embed(self, texts: pl.Series) -> np.ndarray:
        """(D, H) float32 vectors of length 1."""

    def _prepare(self, texts: Sequence[str], seed: int) -> None:
        """Fit what `_embed` needs, before the clusters are fitted."""

    def fit(self, texts: Sequence[str], labels: Sequence[str], *, seed: int) -> None:
        """Fit the clusters; the order of the texts does not matter, `labels` is not used.

        Raises:
            ValueError: there are fewer distinct texts with words than clusters.
        """
        from sklearn.cluster import KMeans
        from threadpoolctl import threadpool_limits

        k = self.settings.k
        ordered = sorted({t for t in texts if has_words(t)}, key=lambda t: _order(t, seed))
        if len(ordered) < k:
            raise ValueError(
                f"features.domains: {len(ordered)} different texts are too few for k = {k} "
                "clusters: lower k or raise n_pool_documents"
            )
        self._prepare(ordered, seed)
        # One thread: sums of several threads differ in their last bits from run to run.
        with threadpool_limits(1):
            vectors = self._embed(pl.Series("text", ordered))
            means = KMeans(k, n_init=3, random_state=seed % (1 << 32)).fit(vectors)
        sizes = np.bincount(means.labels_, minlength=k)
        order = np.argsort(-sizes, kind="stable")
        self._centres = means.cluster_centers_[order].astype(np.float32)
        members = np.argsort(order)[means.labels_]
        self._description = pl.DataFrame(
            {
                "domain": list(self.settings.names),
                "n_documents": sizes[order],
                "typical_words": _typical_words(ordered, members, k),
            }
        )

    def describe(self) -> pl.DataFrame:
        """One row per cluster: `domain`, `n_documents` of the sample, and `typical_words`."""
        if self._description is None:
            raise NotFittedError("domain clusters: fit or load them first")
        return self._description

    def classify(self, documents: pl.DataFrame) -> pl.DataFrame:
        """Domain and confidence of each document."""
        if self._centres is None:
            raise NotFittedError("domain clusters: fit or load them before they classify")
        if documents.is_empty():
            return pl.DataFrame(schema={"domain": pl.String, "confidence": pl.Float64})
        texts = documents["text"]
        vectors = self._embed(texts).astype(np.float64)
        centres = self._centres.astype(np.float64)
        # Not by expanding the square, which loses precision where centres are close.
        distances = np.stack(
            [np.linalg.norm(vectors - centre, axis=1) for centre in centres], axis=1
        )
        best = distances.argmin(axis=1)
        near, second = np.sort(distances, axis=1)[:, :2].T
        confidence = 1.0 - np.divide(near, second, out=np.ones_like(near), where=second > 0)
        known = np.array([has_words(text) for text in texts])
        names = np.array([*self.settings.names, UNKNOWN_DOMAIN], dtype=object)
        return pl.DataFrame(
            {
                "domain": pl.Series(
                    names[np.where(known, best, len(centres))].tolist(), dtype=pl.String
                ),
                "confidence": np.where(known, confidence, 0.0),
            }
        )

    def _files(self) -> dict[str, bytes]:
        if self._centres is None:
            raise NotFittedError("domain clusters: fit them before they are saved")
        buffer = io.BytesIO()
        np.save(buffer, self._centres)
        return {_CENTRES: buffer.getvalue(), _DESCRIPTION: self.describe().write_json().encode()}

    def _restore(self, files: Mapping[str, bytes]) -> None:
        self._centres = np.load(io.BytesIO(files[_CENTRES]))
        self._description = pl.read_json(files[_DESCRIPTION])


class FasttextClusters(_Clusters):
    """Clusters of mean word vectors, which are trained on the same sample."""

    _vectors: WordVectors | None = None

    def _prepare(self, texts: Sequence[str], seed: int) -> None:
        self._vectors = WordVectors.train(texts, self.settings.dimension)

    @property
    def _trained(self) -> WordVectors:
        if self._vectors is None:
            raise NotFittedError("domain clusters: fit or load them first")
        return self._vectors

    def _embed(self, texts: pl.Series) -> np.ndarray:
        return self._trained.embed(texts)

    def _files(self) -> dict[str, bytes]:
        return {**super()._files(), _VECTORS: self._trained.content}

    def _restore(self, files: Mapping[str, bytes]) -> None:
        super()._restore(files)
        self._vectors = WordVectors(files[_VECTORS])


class SentenceClusters(Published[ClustersSettings], _Clusters):
    """Clusters of the embeddings of a published sentence encoder."""

    @cached_property
    def _encoder(self) -> SentenceEncoder:
        from quadmix_assets.features.inference.sentence import SentenceEncoder

        return SentenceEncoder(self.folder, self.runtime, self.settings.max_tokens)

    def _embed(self, texts: pl.Series) -> np.ndarray:
        return self._encoder.embed(texts)


def _order(text: str, seed: int) -> tuple[int, str]:
    return hash_number(text.encode(), seed), text


def _typical_words(texts: Sequence[str], members: np.ndarray, k: int) -> list[str]:
    """Per cluster, the words with the largest p log(p / q), as a comma-separated string.

    p and q are the smoothed shares of documents inside and outside the cluster that hold the word.
    """
    counts = [Counter[str]() for _ in range(k)]
    for text, member in zip(texts, members, strict=True):
        counts[member].update(set(_WORD.findall(text.lower())))
    total: Counter[str] = sum(counts, Counter())
    sizes = np.bincount(members, minlength=k)
    result = []
    for count, size in zip(counts, sizes, strict=True):
        excess = {}
        for word, n_inside in count.items():
            inside = (n_inside + 1) / (size + 2)
            outside = (total[word] - n_inside + 1) / (len(texts) - size + 2)
            excess[word] = inside * float(np.log(inside / outside))
        ranked = sorted(excess, key=lambda word: (-excess[word], word))
        result.append(", ".join(ranked[:_N_TYPICAL_WORDS]))
    return result
