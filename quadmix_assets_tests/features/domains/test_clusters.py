from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from quadmix_assets.features.domains.base import DomainClassifier
from quadmix_assets.features.domains.clusters import (
    ClustersSettings,
    FasttextClusters,
    SentenceClusters,
)
from quadmix_assets_tests.features.inference.runtimes import cpu_runtime
from quadmix_assets_tests.features.texts import AWKWARD, TOPICS, prose


def settings(**changes: Any) -> ClustersSettings:
    return ClustersSettings(kind="clusters", **{"k": 3, "dimension": 16, **changes})


def texts_of(topic: str, n: int) -> list[str]:
    rng = np.random.default_rng(sorted(TOPICS).index(topic))
    return [prose(rng, topic=topic) for _ in range(n)]


POOL = [
    text
    for n, topic in ((60, "law"), (45, "cooking"), (30, "astronomy"))
    for text in texts_of(topic, n)
]


@pytest.fixture(scope="module")
def clusters() -> FasttextClusters:
    found = FasttextClusters(settings())
    found.fit(POOL, [], seed=0)
    return found


def test_clusters_are_the_topics_largest_first(clusters: FasttextClusters) -> None:
    for number, topic in enumerate(("law", "cooking", "astronomy")):
        labels = clusters.classify(pl.DataFrame({"text": texts_of(topic, 20)}))
        assert set(labels["domain"]) == {f"cluster_{number:02d}"}
        assert labels["confidence"].min() > 0.1  # type: ignore[operator]
    table = clusters.describe()
    assert table["n_documents"].to_list() == [60, 45, 30]
    for words, topic in zip(table["typical_words"], ("law", "cooking", "astronomy"), strict=True):
        assert set(words.split(", ")[:8]) <= set(TOPICS[topic])


def test_order_of_the_texts_does_not_matter(clusters: FasttextClusters, tmp_path: Path) -> None:
    again = FasttextClusters(settings())
    again.fit(POOL[::-1], [], seed=0)
    clusters.save(tmp_path / "a")
    again.save(tmp_path / "b")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_label_is_the_nearest_centre(clusters: FasttextClusters) -> None:
    frame = pl.DataFrame({"text": POOL[::9]})
    vectors = clusters._embed(frame["text"])
    centres = clusters._centres
    assert centres is not None
    for row, result in enumerate(clusters.classify(frame).to_dicts()):
        distances = sorted(
            (float(np.linalg.norm(vectors[row] - c)), n) for n, c in enumerate(centres)
        )
        assert result["domain"] == f"cluster_{distances[0][1]:02d}"
        assert result["confidence"] == pytest.approx(
            1 - distances[0][0] / distances[1][0], abs=1e-6
        )


def test_saved_clusters_are_the_same(clusters: FasttextClusters, tmp_path: Path) -> None:
    clusters.save(tmp_path)
    loaded = settings().load(tmp_path)
    frame = pl.DataFrame({"text": [*POOL[:5], *AWKWARD.values()]})
    assert loaded.classify(frame).equals(clusters.classify(frame))
    assert isinstance(loaded, FasttextClusters)
    assert loaded.describe().equals(clusters.describe())


def test_documents_without_words_are_unknown(clusters: FasttextClusters) -> None:
    labels = clusters.classify(pl.DataFrame({"text": list(AWKWARD.values())}))
    by_name = dict(zip(AWKWARD, labels.iter_rows(), strict=True))
    assert by_name["empty"] == by_name["blank"] == ("unknown", 0.0)
    assert labels["confidence"].is_between(0.0, 1.0).all()


def test_names_of_the_settings() -> None:
    named = settings(k=2, names=("first", "second"))
    assert named.names == ("first", "second")
    assert settings(k=4).names == ("cluster_00", "cluster_01", "cluster_02", "cluster_03")
    with pytest.raises(ValueError, match="1 entries for k = 2"):
        settings(k=2, names=("first",))


def test_too_few_texts() -> None:
    with pytest.raises(ValueError, match="2 different texts are too few for k = 3"):
        FasttextClusters(settings()).fit(["a b", "a b", "c", " "], [], seed=0)


def test_sentence_encoder(checkpoints: Path, tmp_path: Path) -> None:
    runtime = cpu_runtime(checkpoints)
    chosen = settings(encoder="sentence")
    found: DomainClassifier = SentenceClusters(chosen, runtime)
    found.fit(POOL, [], seed=0)
    frame = pl.DataFrame({"text": POOL[::7]})
    labels = found.classify(frame)
    found.save(tmp_path)
    assert "content" in (tmp_path / "card.json").read_text()
    loaded = chosen.load(tmp_path, runtime)
    assert isinstance(loaded, SentenceClusters)
    assert loaded.classify(frame).equals(labels)
    assert labels["domain"].n_unique() > 1


def test_no_documents(clusters: FasttextClusters) -> None:
    empty = pl.DataFrame({"text": []}, schema={"text": pl.String})
    assert clusters.classify(empty).height == 0
