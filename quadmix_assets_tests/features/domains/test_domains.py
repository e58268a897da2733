"""What holds for every domain classifier: the contract of the interface."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from quadmix_assets.features.domains.base import DomainClassifier
from quadmix_assets.features.domains.registry import DOMAIN_CLASSIFIERS
from quadmix_assets.settings import DomainsSettings
from quadmix_assets_tests.features.texts import AWKWARD, TOPICS, documents, prose

SETTINGS: dict[str, dict[str, Any]] = {
    "fasttext": {"kind": "fasttext", "names": list(TOPICS), "dimension": 8, "epochs": 5},
    "column": {"kind": "column", "column": "source", "names": ["law"], "mapping": {"test": "law"}},
}


def _read(values: dict[str, Any]) -> DomainsSettings:
    found = DOMAIN_CLASSIFIERS.settings_class(values["kind"]).model_validate(values)
    assert isinstance(found, DomainsSettings)
    return found


def _fit(settings: DomainsSettings, step: int = 1) -> DomainClassifier:
    rng = np.random.default_rng(0)
    labels = [list(TOPICS)[k % len(TOPICS)] for k in range(60)]
    texts = [prose(rng, 3, topic) for topic in labels]
    classifier = settings.make()
    classifier.fit(texts[::step], labels[::step], seed=2)
    return classifier


@pytest.fixture(scope="module", params=list(SETTINGS))
def classifier(request: pytest.FixtureRequest) -> DomainClassifier:
    return _fit(_read(SETTINGS[request.param]))


@pytest.fixture(scope="module")
def batch() -> pl.DataFrame:
    rng = np.random.default_rng(1)
    return documents(AWKWARD | {topic: prose(rng, 5, topic) for topic in TOPICS})


def test_a_label_depends_on_its_document_alone(
    classifier: DomainClassifier, batch: pl.DataFrame
) -> None:
    found = classifier.classify(batch)
    assert found.schema == pl.Schema({"domain": pl.String, "confidence": pl.Float64})
    assert found["confidence"].is_between(0.0, 1.0).all()
    assert classifier.classify(batch.reverse()).equals(found.reverse())
    assert pl.concat([classifier.classify(batch[k]) for k in range(batch.height)]).equals(found)


def test_no_documents_give_no_labels(classifier: DomainClassifier, batch: pl.DataFrame) -> None:
    found = classifier.classify(batch.clear())
    assert found.schema == pl.Schema({"domain": pl.String, "confidence": pl.Float64})
    assert found.height == 0


def test_what_is_loaded_classifies_alike(
    classifier: DomainClassifier, batch: pl.DataFrame, tmp_path: Path
) -> None:
    classifier.save(tmp_path)
    again = classifier.settings.load(tmp_path)
    assert again.classify(batch).equals(classifier.classify(batch))


def test_fitting_again_in_another_order_gives_equal_bytes(
    classifier: DomainClassifier, tmp_path: Path
) -> None:
    classifier.save(tmp_path / "a")
    _fit(classifier.settings, step=-1).save(tmp_path / "b")
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
