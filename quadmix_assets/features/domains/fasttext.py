"""A supervised fastText classifier of domains, trained on labelled examples."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import Field

from quadmix_assets.features.domains.base import DomainClassifier
from quadmix_assets.features.fasttext_model import FasttextModel, has_words
from quadmix_assets.features.learned.pinned import NotFittedError
from quadmix_assets.settings.base import PositiveInt
from quadmix_assets.settings.domains import UNKNOWN_DOMAIN, DomainsSettings, LabelledExamples
from quadmix_assets.settings.locations import Location, without_credentials

_MODEL = "model.bin"


class FasttextDomainsSettings(DomainsSettings):
    """A supervised fastText classifier, trained inside the graph on labelled examples."""

    kind: Literal["fasttext"]
    labels: Location | None = Field(
        default=None,
        description="JSONL or Parquet file of labelled examples; null takes those of the generated "
        "corpus (`corpus.source: planted`)",
    )
    text_column: str = Field(default="text", description="column (or key) of the text in `labels`")
    domain_column: str = Field(
        default="domain", description="column (or key) of the domain in `labels`"
    )
    epochs: PositiveInt = Field(
        default=15,
        description="passes over the examples; three times fastText's default, because there are "
        "often few examples",
    )
    dimension: PositiveInt = Field(
        default=32, description="length of a word vector; some tens of domains need no more"
    )
    n_word_ngrams: PositiveInt = Field(
        default=1,
        description="longest word n-gram that the classifier reads; single words identify topics",
    )
    learning_rate: Annotated[float, Field(gt=0)] = Field(
        default=0.5,
        description="five times fastText's default, because there are often few examples",
    )
    n_buckets: PositiveInt = Field(
        default=200_000, description="hash buckets of n-grams; used with n_word_ngrams above 1"
    )

    def implementation(self) -> "type[FasttextDomains]":
        """See `DomainsSettings`."""
        return FasttextDomains

    @property
    def labelled_examples(self) -> LabelledExamples:
        """The file and columns of the settings."""
        return LabelledExamples(self.labels, self.text_column, self.domain_column)


class FasttextDomains(DomainClassifier[FasttextDomainsSettings]):
    """The most probable domain; the confidence is its probability.

    Documents without words are `unknown` with confidence 0. `unknown` can be learned like any
    other domain if the settings name it and there are examples of it.
    """

    code_version = "1"
    _model: FasttextModel | None = None

    def fit(self, texts: Sequence[str], labels: Sequence[str], *, seed: int) -> None:
        """Train the classifier.

        Raises:
            ValueError: an example has a label that the settings do not name, a named domain has
                no example with words, or training diverged.
        """
        self._check_labels(texts, labels)
        settings = self.settings
        self._model = FasttextModel.train(
            texts,
            labels,
            seed=seed,
            epochs=settings.epochs,
            dimension=settings.dimension,
            n_word_ngrams=settings.n_word_ngrams,
            learning_rate=settings.learning_rate,
            n_buckets=settings.n_buckets,
        )

    def _check_labels(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        known = ", ".join(self.settings.names)
        where = without_credentials(self.settings.labels or "the labelled examples")
        wrong = [row for row, label in enumerate(labels) if label not in self.settings.names]
        if wrong:
            raise ValueError(
                f"{where}, example {wrong[0] + 1}: {labels[wrong[0]]!r} in the column "
                f"{self.settings.domain_column!r} is not one of features.domains.names ({known}); "
                f"{len(wrong)} of {len(labels)} examples have such labels: add the name to the "
                "settings, or correct or remove the examples"
            )
        counts = Counter(
            label for text, label in zip(texts, labels, strict=True) if has_words(text)
        )
        missing = [n for n in self.settings.names if not counts[n] and n != UNKNOWN_DOMAIN]
        if missing:
            raise ValueError(
                f"{where}: no example with a text for {', '.join(missing)}, of "
                f"features.domains.names ({known}): add examples, or remove the names"
            )

    def classify(self, documents: pl.DataFrame) -> pl.DataFrame:
        """Domain and confidence of each document."""
        if self._model is None:
            raise NotFittedError("domain classifier: fit or load it before it classifies")
        probabilities = self._model.probabilities(documents["text"].to_list())
        best = probabilities.argmax(axis=1)
        confidence = probabilities[np.arange(len(best)), best]
        names = np.array(self._model.labels, dtype=object)[best]
        domains = np.where(confidence > 0.0, names, UNKNOWN_DOMAIN)
        return pl.DataFrame(
            {
                "domain": pl.Series(domains.tolist(), dtype=pl.String),
                "confidence": confidence,
            }
        )

    def _files(self) -> dict[str, bytes]:
        if self._model is None:
            raise NotFittedError("domain classifier: fit it before it is saved")
        return {_MODEL: self._model.content}

    def _restore(self, files: Mapping[str, bytes]) -> None:
        self._model = FasttextModel(files[_MODEL])
