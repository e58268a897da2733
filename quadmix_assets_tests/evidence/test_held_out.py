"""Held-out sets are read like target sets, and refused where they are used elsewhere."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from quadmix_assets.commands.check import check
from quadmix_assets.corpus.target_tables import write_target_tables
from quadmix_assets.corpus.tokenizer import encode, train_tokenizer
from quadmix_assets.evidence.held_out import (
    drop_other_sets,
    held_out_path,
    read_held_out_tokens,
    write_held_out_tables,
)
from quadmix_assets.evidence.used_elsewhere import used_elsewhere
from quadmix_assets.settings import Settings, SettingsError, load_settings
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.conftest import write_profile
from quadmix_assets_tests.evidence.small_lake import WORDS, text_of
from quadmix_assets_tests.lakes import write_lines

TOKENIZER = train_tokenizer([" ".join(WORDS)], vocab_size=300)
RNG = np.random.default_rng(11)
TARGETS = [text_of(RNG) for _ in range(30)]
STORIES = [text_of(RNG) for _ in range(40)]


def project(
    folder: Path, held_out: list[str], name: str = "held_out.jsonl", **options: Any
) -> tuple[Settings, Store]:
    """A project with a target set, and a held-out set of these texts."""
    write_lines(folder / "target.jsonl", [{"text": text} for text in TARGETS])
    write_lines(folder / name, [{"text": text} for text in held_out])
    write_lines(folder / "raw" / "one.jsonl", [{"text": text_of(RNG), "topic": "a"}])
    profile = write_profile(
        folder,
        corpus={"source": "files", "raw": "raw", "carried_columns": {"topic": "string"}},
        targets=[{"name": "planted", "path": "target.jsonl"}],
        features={
            "domains": {"kind": "column", "column": "topic", "names": ["a", "b"]},
            "criteria": [{"kind": "heuristics"}],
        },
        evidence={
            "enabled": True,
            "held_out": [{"name": "stories", "path": name, **options}],
        },
    )
    settings = load_settings(profile)
    store = Store(settings.resolve(settings.lake))
    write_target_tables(store, settings, TOKENIZER)
    return settings, store


def test_the_set_is_stored_as_text_and_tokens_in_the_order_of_evaluation(tmp_path: Path) -> None:
    settings, store = project(tmp_path, STORIES)
    with pytest.raises(MissingOutputError, match="held_out_sets"):
        read_held_out_tokens(store, "stories", TOKENIZER)
    (row,) = write_held_out_tables(store, settings, TOKENIZER).to_dicts()
    documents = store.read_table(held_out_path(store, "stories"))
    assert sorted(documents["text"]) == sorted(STORIES)
    assert documents["text"].to_list() != STORIES
    tokens = read_held_out_tokens(store, "stories", TOKENIZER)
    expected = encode(TOKENIZER, documents["text"].to_list())
    assert [each.tolist() for each in tokens.documents] == [each.tolist() for each in expected]
    assert (row["held_out"], row["n_documents"], row["n_left_out"]) == ("stories", 40, 0)
    assert row["n_tokens"] == sum(map(len, expected))
    other = train_tokenizer(["another text"], vocab_size=270)
    with pytest.raises(MissingOutputError, match="materialise the asset 'held_out_sets' again"):
        read_held_out_tokens(store, "stories", other)


def test_sets_that_the_settings_no_longer_name_are_deleted(tmp_path: Path) -> None:
    settings, store = project(tmp_path, STORIES)
    write_held_out_tables(store, settings, TOKENIZER)
    profile = tmp_path / "tiny.yaml"
    changed = yaml.safe_load(profile.read_text())
    changed["evidence"]["held_out"][0]["name"] = "tales"
    profile.write_text(yaml.safe_dump(changed))
    renamed = load_settings(profile)
    write_held_out_tables(store, renamed, TOKENIZER)
    drop_other_sets(store, renamed)
    assert not held_out_path(store, "stories").exists()
    assert held_out_path(store, "tales").exists()
    left = [path.name for path in (store.root / "held_out_sets").iterdir()]
    assert not any(name.startswith("stories") for name in left)


def test_a_few_documents_that_a_target_set_has_too_are_left_out(tmp_path: Path) -> None:
    # Case, punctuation and what follows a run of 13 words make no other text of it.
    again = TARGETS[4].upper().replace(" ", ", ") + " and more"
    settings, store = project(tmp_path, [*STORIES, again])
    assert used_elsewhere(settings, store) == []
    (row,) = write_held_out_tables(store, settings, TOKENIZER).to_dicts()
    assert (row["n_documents"], row["n_left_out"]) == (40, 1)
    assert sorted(store.read_table(held_out_path(store, "stories"))["text"]) == sorted(STORIES)


def test_a_set_of_which_a_target_set_has_much_is_refused(tmp_path: Path) -> None:
    settings, store = project(tmp_path, [*STORIES, *TARGETS[:3]])
    words = (
        r"evidence\.held_out\[stories\]: 3 of its 43 documents are in the target set 'planted' too"
    )
    (problem,) = used_elsewhere(settings, store)
    assert TARGETS[0][:40] in problem
    with pytest.raises(ValueError, match=words):
        write_held_out_tables(store, settings, TOKENIZER)
    with pytest.raises(SettingsError, match=words):
        check(settings, store)
    assert not (store.root / "held_out_sets").exists()


def test_a_set_that_is_read_from_the_files_of_something_else_is_refused(tmp_path: Path) -> None:
    settings, store = project(tmp_path, STORIES)
    assert used_elsewhere(settings, store) == []
    text = check(settings, store)
    (line,) = [line for line in text.splitlines() if line.startswith("stories")]
    assert line.split()[1] == "40"

    link = tmp_path / "link.jsonl"
    link.symlink_to(tmp_path / "target.jsonl")
    profile = tmp_path / "tiny.yaml"
    for path, user in (
        ("target.jsonl", r"targets\[planted\]"),
        ("link.jsonl", r"targets\[planted\]"),
        ("raw/*.jsonl", "the pool"),
    ):
        changed = yaml.safe_load(profile.read_text())
        changed["evidence"]["held_out"][0]["path"] = path
        profile.write_text(yaml.safe_dump(changed))
        with pytest.raises(SettingsError, match=rf"is read by {user}"):
            check(load_settings(profile), store)


def test_data_sets_of_the_hub_are_compared_by_their_names(tmp_path: Path) -> None:
    _, store = project(tmp_path, STORIES)
    profile = tmp_path / "tiny.yaml"
    changed = yaml.safe_load(profile.read_text())
    changed["targets"].append({"name": "quiz", "dataset": "org/quiz", "split": "train"})
    for split, is_refused in (("train", True), ("test", False)):
        changed["evidence"]["held_out"] = [{"name": "q", "dataset": "org/quiz", "split": split}]
        profile.write_text(yaml.safe_dump(changed))
        problems = used_elsewhere(load_settings(profile), store)
        assert len(problems) == is_refused
        assert all("the split 'train' (default) of org/quiz is read by" in p for p in problems)


def test_a_target_set_that_is_still_to_be_generated_is_compared_later(tmp_path: Path) -> None:
    write_lines(tmp_path / "held_out.jsonl", [{"text": text} for text in STORIES])
    evidence = {"enabled": True, "held_out": [{"name": "stories", "path": "held_out.jsonl"}]}
    settings = load_settings(write_profile(tmp_path, evidence=evidence))
    store = Store(settings.resolve(settings.lake))
    assert "the settings are valid" in check(settings, store)
    (tmp_path / "held_out.jsonl").unlink()
    with pytest.raises(SettingsError, match=r"evidence\.held_out\[stories\]: .*held_out\.jsonl"):
        check(settings, store)


def test_settings_name_a_source_and_no_name_twice(tmp_path: Path) -> None:
    def refused(held_out: dict[str, Any]) -> str:
        evidence = {"enabled": True, "held_out": [held_out]}
        with pytest.raises((SettingsError, ValidationError)) as caught:
            load_settings(write_profile(tmp_path, evidence=evidence))
        return str(caught.value)

    assert "evidence.held_out[x].path is missing (or a dataset)" in refused({"name": "x"})
    assert "also the name of a target set" in refused({"name": "planted", "path": "x.jsonl"})


def test_what_is_wrong_with_a_file_names_the_setting(tmp_path: Path) -> None:
    settings, store = project(tmp_path, STORIES)
    (tmp_path / "held_out.jsonl").write_text(json.dumps({"words": "x"}) + "\n")
    with pytest.raises(ValueError, match=r"Set evidence\.held_out\[stories\]\.text_column"):
        write_held_out_tables(store, settings, TOKENIZER)
    (tmp_path / "held_out.jsonl").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"evidence\.held_out\[stories\]: .*held_out\.jsonl"
    ):
        write_held_out_tables(store, settings, TOKENIZER)
    with pytest.raises(
        SettingsError, match=r"evidence\.held_out\[stories\]\.path: .* is not there"
    ):
        check(settings, store)
