from pathlib import Path

import fasttext
import numpy as np
import polars as pl
import pytest

from quadmix_assets.features.criteria.dclm import DclmCriterion, DclmSettings
from quadmix_assets.features.inference.checkpoint import CheckpointError
from quadmix_assets_tests.features.checkpoints import save_dclm
from quadmix_assets_tests.features.inference.runtimes import cpu_runtime
from quadmix_assets_tests.features.texts import AWKWARD, prose, spam

SETTINGS = DclmSettings(kind="dclm")


@pytest.fixture(scope="module")
def criterion(checkpoints: Path) -> DclmCriterion:
    return DclmCriterion(SETTINGS, cpu_runtime(checkpoints))


def test_score_is_what_fasttext_reports_for_hq(criterion: DclmCriterion, checkpoints: Path) -> None:
    rng = np.random.default_rng(0)
    texts = [prose(rng) for _ in range(20)] + [spam(rng) for _ in range(20)]
    model = fasttext.load_model(str(checkpoints / SETTINGS.model / SETTINGS.file))
    expected = []
    for text in texts:
        labels, shares = model.predict([text.replace("\n", " ")], k=2)
        expected.append(min(dict(zip(labels[0], shares[0], strict=True))["__label__hq"], 1.0))
    scores = criterion.score(pl.DataFrame({"text": texts}))
    assert scores.tolist() == expected
    assert scores.max() <= 1.0
    assert scores[:20].min() > scores[20:].max()


def test_line_ends_keep_words_apart(criterion: DclmCriterion) -> None:
    lines, blanks = criterion.score(pl.DataFrame({"text": ["oven\nbutter", "oven butter"]}))
    assert lines == blanks


def test_awkward_texts(criterion: DclmCriterion) -> None:
    scores = criterion.score(pl.DataFrame({"text": list(AWKWARD.values())}))
    assert np.isfinite(scores).all()
    assert dict(zip(AWKWARD, scores, strict=True))["blank"] == 0.0


def test_model_without_the_label(checkpoints: Path) -> None:
    settings = DclmSettings(kind="dclm", label="good")
    with pytest.raises(CheckpointError, match="'good', but the model's labels are cc, hq"):
        DclmCriterion(settings, cpu_runtime(checkpoints)).fit([], [], seed=0)


def test_file_that_is_missing_or_no_model(tmp_path: Path) -> None:
    settings = DclmSettings(kind="dclm", model=str(tmp_path), file="model.bin")
    with pytest.raises(CheckpointError, match=r"model\.bin is not there"):
        DclmCriterion(settings, cpu_runtime()).fit([], [], seed=0)
    (tmp_path / "model.bin").write_bytes(b"something else")
    with pytest.raises(CheckpointError, match="expected a binary fastText model"):
        DclmCriterion(settings, cpu_runtime()).fit([], [], seed=0)


def test_only_the_card_is_saved(tmp_path: Path) -> None:
    save_dclm(tmp_path / "model", "model.bin")
    settings = DclmSettings(kind="dclm", model=str(tmp_path / "model"), file="model.bin")
    criterion = DclmCriterion(settings, cpu_runtime())
    criterion.fit([], [], seed=0)
    criterion.save(tmp_path / "saved")
    assert [path.name for path in (tmp_path / "saved").iterdir()] == ["card.json"]
    loaded = DclmCriterion.load(settings, tmp_path / "saved", cpu_runtime())
    frame = pl.DataFrame({"text": ["some words of prose"]})
    assert loaded.score(frame).tolist() == criterion.score(frame).tolist()
