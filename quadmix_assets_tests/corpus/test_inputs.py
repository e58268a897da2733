from pathlib import Path

import polars as pl
import pytest
from upath import UPath

from quadmix_assets.corpus.inputs import labels_path, raw_folder, target_files
from quadmix_assets.settings import load_settings
from quadmix_assets.store import Store
from quadmix_assets_tests.conftest import write_profile
from quadmix_assets_tests.lakes import write_lines


def test_planted_inputs_lie_in_the_lake(tmp_path: Path) -> None:
    settings = load_settings(write_profile(tmp_path))
    store = Store(settings.resolve(settings.lake))
    examples = settings.features.domains.labelled_examples
    assert examples is not None
    for path in (
        raw_folder(settings, store),
        *target_files(settings, store, settings.targets[0]),
        labels_path(settings, store, examples),
    ):
        assert path.is_relative_to(store.root)


def test_targets_by_pattern_and_by_data_set(tmp_path: Path) -> None:
    for name in ("targets/b.jsonl", "targets/a.jsonl"):
        write_lines(tmp_path / name, [{"text": name}])
    for part in ("0001", "0000"):
        path = tmp_path / "sets" / "org" / "set" / "ARC-Easy" / "train" / f"{part}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame({"text": [part]}).write_parquet(path)
    targets = [
        {"name": "planted", "path": "targets/*.jsonl"},
        {"name": "arc", "dataset": "org/set", "config": "ARC-Easy", "format": "arc"},
    ]
    settings = load_settings(write_profile(tmp_path, targets=targets, corpus={"datasets": "sets"}))
    store = Store(settings.resolve(settings.lake))
    found = [target_files(settings, store, target) for target in settings.targets]
    assert [[path.name for path in paths] for paths in found] == [
        ["a.jsonl", "b.jsonl"],
        ["0000.parquet", "0001.parquet"],
    ]
    gone = settings.targets[1].model_copy(update={"split": "test"})
    with pytest.raises(FileNotFoundError, match=r"targets\[arc\]: .*test holds no Parquet file"):
        target_files(settings, store, gone)
    none = settings.targets[0].model_copy(update={"path": "targets/*.parquet"})
    with pytest.raises(FileNotFoundError, match=r"targets\[planted\].path: no file matches"):
        target_files(settings, store, none)


def test_data_sets_of_the_hub_are_read_by_uri(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the hub is asked for; the answer is made up, since there is no hub here."""
    asked: list[str] = []

    def glob(self: UPath, pattern: str) -> list[UPath]:
        asked.append(f"{self}/{pattern}")
        return [self / "0000.parquet"]

    targets = [{"name": "planted", "dataset": "teknium/OpenHermes-2.5", "format": "conversations"}]
    settings = load_settings(write_profile(tmp_path, targets=targets))
    store = Store(settings.resolve(settings.lake))
    hub = UPath("hf://datasets/a/b")
    monkeypatch.setattr(type(hub), "glob", glob)
    (path,) = target_files(settings, store, settings.targets[0])
    folder = "hf://datasets/teknium/OpenHermes-2.5@refs/convert/parquet/default/train"
    assert asked == [f"{folder}/*.parquet"]
    assert str(path) == f"{folder}/0000.parquet"
    assert type(path.fs).__name__ == "HfFileSystem"
