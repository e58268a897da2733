from pathlib import Path

import polars as pl
import pytest
from safetensors.torch import load_file, save_file

from quadmix_assets.features.criteria.fineweb_edu import FinewebEduSettings
from quadmix_assets.features.inference.checkpoint import CheckpointError, find_checkpoint
from quadmix_assets.features.learned.pinned import StaleModelError
from quadmix_assets_tests.features.checkpoints import (
    save_fineweb_edu,
    save_nvidia,
    save_pickled,
    save_sentence_encoder,
)
from quadmix_assets_tests.features.inference.runtimes import cpu_runtime


def edu(model: str) -> FinewebEduSettings:
    return FinewebEduSettings(kind="fineweb_edu", model=model, revision="main")


def test_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    save_fineweb_edu(tmp_path / "mine")
    runtime = cpu_runtime()
    found = find_checkpoint(str(tmp_path / "mine"), "main", runtime)
    assert found.folder == tmp_path / "mine"
    assert set(found.identity) == {"content"}


def test_copies_are_looked_up_by_id(checkpoints: Path) -> None:
    runtime = cpu_runtime(checkpoints)
    found = find_checkpoint("nvidia/domain-classifier", "main", runtime)
    assert found.folder == checkpoints / "nvidia/domain-classifier"


def test_missing_copy_is_not_looked_for_on_the_hub(tmp_path: Path) -> None:
    runtime = cpu_runtime(tmp_path)
    with pytest.raises(CheckpointError, match=r"org/name is not there: .*nothing is downloaded"):
        find_checkpoint("org/name", "main", runtime)


def test_missing_folder_is_no_hub_id(tmp_path: Path) -> None:
    runtime = cpu_runtime()
    with pytest.raises(CheckpointError, match="is not a folder on this machine"):
        find_checkpoint(str(tmp_path / "nowhere"), "main", runtime)


def test_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    runtime = cpu_runtime()
    message = "'org/name' is not a local folder, and the hub did not provide it at revision 'v1'"
    with pytest.raises(CheckpointError, match=message):
        find_checkpoint("org/name", "v1", runtime)


def test_hub_cache_gives_the_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # The layout of the hub's cache: what an earlier download leaves behind.
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--org--edu"
    save_fineweb_edu(repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    runtime = cpu_runtime()
    criterion = edu("org/edu").make(runtime)
    criterion.fit([], [], seed=0)
    criterion.save(tmp_path / "card")
    assert f'"commit": "{commit}"' in (tmp_path / "card" / "card.json").read_text()

    # The branch moves on; what was pinned stays.
    (repository / "refs" / "main").write_text("f" * 40)
    again = edu("org/edu").load(tmp_path / "card", runtime)
    assert again.folder == repository / "snapshots" / commit  # type: ignore[attr-defined]


def test_changed_files_make_a_saved_model_stale(tmp_path: Path) -> None:
    folder = tmp_path / "edu"
    save_fineweb_edu(folder)
    runtime = cpu_runtime()
    criterion = edu(str(folder)).make(runtime)
    criterion.fit([], [], seed=0)
    criterion.save(tmp_path / "card")
    edu(str(folder)).load(tmp_path / "card", runtime)
    save_fineweb_edu(folder, seed=1)
    with pytest.raises(StaleModelError, match="checkpoint: saved"):
        edu(str(folder)).load(tmp_path / "card", runtime)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    save_pickled(tmp_path)
    runtime = cpu_runtime()
    criterion = edu(str(tmp_path)).make(runtime)
    with pytest.raises(CheckpointError, match=r"no \*\.safetensors among .*pytorch_model\.bin"):
        criterion.fit([], [], seed=0)


def test_pickle_beside_safetensors_is_left_alone(tmp_path: Path) -> None:
    save_fineweb_edu(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"not a pickle at all")
    runtime = cpu_runtime()
    criterion = edu(str(tmp_path)).make(runtime)
    criterion.fit([], [], seed=0)
    assert len(criterion.score(pl.DataFrame({"text": ["some words"]}))) == 1


@pytest.mark.parametrize("other", ["nvidia", "sentence"])
def test_checkpoint_of_another_kind(tmp_path: Path, other: str) -> None:
    if other == "nvidia":
        save_nvidia(tmp_path, ["a", "b"])
    else:
        save_sentence_encoder(tmp_path)
    runtime = cpu_runtime()
    criterion = edu(str(tmp_path)).make(runtime)
    with pytest.raises(CheckpointError, match="expects an encoder for sequence classification"):
        criterion.fit([], [], seed=0)


def test_weights_that_are_missing_are_not_made_up(tmp_path: Path) -> None:
    save_fineweb_edu(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["classifier.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    runtime = cpu_runtime()
    criterion = edu(str(tmp_path)).make(runtime)
    with pytest.raises(CheckpointError, match=r"does not hold 1 .*classifier\.weight"):
        criterion.score(pl.DataFrame({"text": ["some words"]}))
