from pathlib import Path
from typing import Any

import polars as pl
import pytest
from upath import UPath

from quadmix_assets.corpus.inputs import check_inputs, labels_path, raw_folder, target_files
from quadmix_assets.settings import Settings, SettingsError, load_settings
from quadmix_assets.store import Store
from quadmix_assets_tests.conftest import write_profile
from quadmix_assets_tests.lakes import write_lines

FASTTEXT = {"kind": "fasttext", "labels": "labels.jsonl", "names": ["a", "b"]}
ROWS = [{"id": "1", "text": "Some words."}]


def inputs_of(folder: Path, **changes: Any) -> tuple[Settings, Store]:
    """Settings of a profile of files whose inputs are all there, but for `changes`."""
    defaults: dict[str, Any] = {
        "corpus": {"source": "files", "raw": "raw"},
        "targets": [{"name": "planted", "path": "target.jsonl"}],
        "features": {"domains": FASTTEXT},
    }
    write_lines(folder / "raw" / "one.jsonl", ROWS)
    write_lines(folder / "target.jsonl", ROWS)
    write_lines(folder / "labels.jsonl", [{"text": "Some words.", "domain": "a"}])
    for key, change in changes.items():
        defaults[key] = {**defaults[key], **change} if isinstance(change, dict) else change
    settings = load_settings(write_profile(folder, **defaults))
    return settings, Store(settings.resolve(settings.lake))


def problems(folder: Path, **changes: Any) -> str:
    with pytest.raises(SettingsError) as error:
        check_inputs(*inputs_of(folder, **changes))
    return str(error.value)


def test_complete_inputs_are_found_and_nothing_is_written(tmp_path: Path) -> None:
    settings, store = inputs_of(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert [shard.key for shard in check_inputs(settings, store).shards] == ["one.jsonl"]
    assert sorted(tmp_path.rglob("*")) == before
    assert str(raw_folder(settings, store)) == str(tmp_path / "raw")


def test_everything_that_is_wrong_is_named_in_one_message(tmp_path: Path) -> None:
    message = problems(
        tmp_path,
        corpus={"text_column": "content"},
        targets=[{"name": "planted", "path": "nowhere.jsonl"}],
        features={"domains": {**FASTTEXT, "labels": "none.jsonl"}},
    )
    assert message.startswith("profile 'tiny': the inputs are not complete:")
    lines = message.splitlines()[1:]
    assert len(lines) == 3
    assert f"targets[planted].path: {tmp_path / 'nowhere.jsonl'} is not there" in lines[0]
    assert f"features.domains.labels: {tmp_path / 'none.jsonl'} is not there" in lines[1]
    assert "no column 'content'" in lines[2]
    assert "one.jsonl" in lines[2]
    assert "Set corpus.text_column" in lines[2]


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    message = problems(tmp_path, corpus={"raw": "rawww"})
    assert f"corpus.raw: {tmp_path / 'rawww'}: there is no such folder" in message


def test_folder_without_a_shard_names_what_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("x")
    message = problems(tmp_path, corpus={"raw": "other"})
    assert "matches corpus.patterns" in message
    assert "notes.txt" in message


def test_two_files_of_one_key_are_one_clear_error(tmp_path: Path) -> None:
    write_lines(tmp_path / "raw" / "a" / "b.jsonl", ROWS)
    write_lines(tmp_path / "raw" / "a__b.jsonl", ROWS)
    assert "both get the shard key 'a__b.jsonl'" in problems(tmp_path)


def test_text_column_of_a_target_and_of_labels(tmp_path: Path) -> None:
    message = problems(
        tmp_path,
        targets=[{"name": "planted", "path": "target.jsonl", "text_column": "body"}],
        features={"domains": {**FASTTEXT, "text_column": "inhalt"}},
    )
    assert "targets[planted].text_column" in message
    assert "'body'; its columns are: id, text" in message
    assert "features.domains.text_column" in message
    assert "'inhalt'; its columns are: text, domain" in message
    assert "corpus.text_column" not in message


def test_target_with_a_template_needs_no_text_column(tmp_path: Path) -> None:
    write_lines(tmp_path / "pairs.jsonl", [{"prompt": "p", "response": "r"}])
    target = {"name": "planted", "path": "pairs.jsonl", "template": "{prompt} {response}"}
    settings, store = inputs_of(tmp_path, targets=[target])
    assert len(check_inputs(settings, store).shards) == 1


def test_target_of_a_format_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "target.txt").write_text("words")
    message = problems(tmp_path, targets=[{"name": "planted", "path": "target.txt"}])
    assert "targets[planted].path" in message
    assert "suffix names no format" in message


def test_one_good_shard_is_enough(tmp_path: Path) -> None:
    settings, store = inputs_of(tmp_path)
    (tmp_path / "raw" / "bad.parquet").write_bytes(b"no parquet")
    write_lines(tmp_path / "raw" / "another.jsonl", [{"body": "x"}])
    assert len(check_inputs(settings, store).shards) == 3
    (tmp_path / "raw" / "one.jsonl").unlink()
    with pytest.raises(SettingsError, match="no shard can be used, the first because: .*another"):
        check_inputs(settings, store)


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
