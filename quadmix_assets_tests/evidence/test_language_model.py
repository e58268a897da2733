"""Models of mixes: folders of transformers, made once, resumed, and made again where damaged."""

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
import yaml

from quadmix_assets.corpus.tokenizer import project_tokenizer
from quadmix_assets.evidence.language_model import (
    curves_path,
    engine_of,
    load_stack,
    models_path,
    read_models,
    train_language_models,
)
from quadmix_assets.evidence.unfinished import unfinished_models
from quadmix_assets.hashing import hash_file
from quadmix_assets.mix.selections import read_mix
from quadmix_assets.outputs import LANGUAGE_MODELS_UNFINISHED
from quadmix_assets.sampling import hash_ids, uniform_of_ids
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings, settings_used
from quadmix_assets.store import DamagedOutputError, MissingOutputError, Store
from quadmix_assets.training import train_stack as train_stack_module
from quadmix_assets_tests.evidence.small_lake import write_small_lake
from quadmix_assets_tests.lakes import damage
from quadmix_assets_tests.settings.reads import recorded_reads
from quadmix_assets_tests.settings.test_traced import WITHOUT_EFFECT, is_declared
from quadmix_assets_tests.training.llama import logits_of

Lake = tuple[Settings, Store]
BUDGETS, N_SEEDS = (512, 2_048), 2


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with the models of both mixes; tests leave it as it is."""
    settings, store = write_small_lake(tmp_path_factory.mktemp("trained"))
    train_language_models(store, settings, ["all", "half"])
    return settings, store


def changed(settings: Settings, model: Mapping[str, Any] | None = None, **values: Any) -> Settings:
    """The settings with other values in the section of the evidence."""
    evidence = settings.evidence.model_copy(update=values)
    recipe = evidence.model.model_copy(update=dict(model or {}))
    return settings.model_copy(update={"evidence": evidence.model_copy(update={"model": recipe})})


def weights_of(store: Store, mix: str) -> list[str]:
    return [
        hash_file(Path(str(model.folder)) / "model.safetensors")
        for model in read_models(store, mix)
    ]


def test_there_is_a_model_per_mix_budget_and_seed(trained: Lake) -> None:
    _, store = trained
    for mix in ("all", "half"):
        models = read_models(store, mix)
        assert [(model.budget, model.seed) for model in models] == [
            (budget, seed) for budget in BUDGETS for seed in range(N_SEEDS)
        ]
        for model in models:
            row = model.training
            assert row["n_tokens"] == model.budget
            assert (row["engine"], row["status"]) == ("stack", "trained")
        curves = store.read_table(curves_path(store, mix))
        assert curves.group_by("budget", "seed").agg(pl.col("n_tokens").max()).sort(
            "budget", "seed"
        )["n_tokens"].to_list() == [512, 512, 2_048, 2_048]
    assert not (store.root / LANGUAGE_MODELS_UNFINISHED).exists() or not list(
        (store.root / LANGUAGE_MODELS_UNFINISHED).iterdir()
    )


def test_a_mix_that_is_smaller_than_the_budget_is_repeated(trained: Lake, tmp_path: Path) -> None:
    settings, store = write_small_lake(tmp_path, budgets=[16_384], n_seeds=1)
    train_language_models(store, settings, ["half"])
    (model,) = read_models(store, "half")
    assert model.training["n_tokens"] == 16_384
    # Every document stands in it twice, and counts once, with a separator before each piece.
    context = settings.evidence.model.context
    rows = read_mix(store, "half")
    lengths = [n for shard in rows.shards for n in rows.rows(shard, ["n_tokens"])["n_tokens"]]
    once = sum(n + math.ceil(n / context) for n in lengths)
    assert model.training["epochs"] == pytest.approx(16_384 / once)
    assert model.training["n_tokens_mix"] == 2 * sum(lengths)


def test_epochs_are_over_the_documents_that_a_thinned_mix_has_left(trained: Lake) -> None:
    """Both mixes are thinned alike for 512 tokens, and one takes its documents twice."""
    settings, store = trained
    for mix, copies in (("all", 1), ("half", 2)):
        rows = read_mix(store, mix)
        documents = pl.concat(rows.rows(shard, ["id", "n_tokens"]) for shard in rows.shards)
        total = copies * int(documents["n_tokens"].sum())
        share = max(1.2 * 512 / total, 32 / documents.height)
        for model in read_models(store, mix)[:N_SEEDS]:
            seed = derive_seed(settings.seed, f"language_model:thin:{model.seed}")
            kept = uniform_of_ids(hash_ids(documents["id"].to_list()), seed) < share
            lengths = documents["n_tokens"].to_numpy()[kept]
            once = int((lengths + np.ceil(lengths / settings.evidence.model.context)).sum())
            assert model.training["epochs"] == pytest.approx(512 / once)
            assert model.training["epochs"] > 512 / total


def test_no_two_models_are_the_same(trained: Lake) -> None:
    _, store = trained
    hashes = [*weights_of(store, "all"), *weights_of(store, "half")]
    assert len(set(hashes)) == len(hashes)


def test_transformers_loads_a_model_and_gives_its_logits(trained: Lake) -> None:
    transformers = pytest.importorskip("transformers")
    settings, store = trained
    models = [model for model in read_models(store, "all") if model.budget == 512]
    stack = load_stack(store, settings, models).model.cpu()
    tokenizer = project_tokenizer(store)
    generator = torch.Generator().manual_seed(0)
    # All tokens are there, the separator too.
    context = settings.evidence.model.context
    ids = torch.randperm(tokenizer.get_vocab_size(), generator=generator)
    ids = ids[: len(ids) // context * context].view(1, -1, context).expand(2, -1, -1)
    for k, model in enumerate(models):
        llama = transformers.AutoModelForCausalLM.from_pretrained(str(model.folder))
        with torch.no_grad():
            theirs = llama(ids[k]).logits
        torch.testing.assert_close(logits_of(stack, ids)[k], theirs, atol=1e-5, rtol=1e-5)
        assert (llama.dtype, llama.num_parameters()) == (
            torch.float32,
            model.training["n_parameters"],
        )
        loaded = transformers.AutoTokenizer.from_pretrained(str(model.folder))
        text = "the stonea of rivere"
        assert loaded(text, add_special_tokens=False)["input_ids"] == tokenizer.encode(text).ids
        assert loaded.model_max_length == context


def test_the_card_names_mix_and_manifest(trained: Lake) -> None:
    _, store = trained
    model = read_models(store, "half")[-1]
    text = (Path(str(model.folder)) / "README.md").read_text()
    _, header, body = text.split("---\n", 2)
    assert yaml.safe_load(header)["library_name"] == "transformers"
    for said in ("# half, 2,048 tokens, seed 1", read_mix(store, "half").version, "| epochs of"):
        assert said in body


def test_what_is_there_stays_and_what_is_damaged_is_made_again(tmp_path: Path) -> None:
    settings, store = write_small_lake(tmp_path, budgets=[512], n_seeds=2)
    train_language_models(store, settings, ["all", "half"])
    before = weights_of(store, "all")
    told: list[int] = []

    def train() -> None:
        told.clear()
        train_language_models(store, settings, ["all", "half"], lambda b, _: told.append(b))

    train()
    assert told == []
    model = read_models(store, "all")[1]
    damage(model.folder / "model.safetensors")
    with pytest.raises(
        DamagedOutputError, match="materialise the asset 'mixes/all/language_model'"
    ):
        load_stack(store, settings, [model])
    train()
    assert told and weights_of(store, "all") == before
    store.remove_folder(model.folder)
    train()
    assert told and weights_of(store, "all") == before
    damage(models_path(store, "all"))
    train()
    assert told and weights_of(store, "all") == before
    store.delete(models_path(store, "half"))
    with pytest.raises(MissingOutputError, match="mixes/half/language_model"):
        read_models(store, "half")


class Killed(BaseException):
    """What ends a run in the middle."""


def test_a_killed_training_gives_the_same_models(
    trained: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, store = write_small_lake(tmp_path)
    proxies = settings.proxies.model_copy(update={"stack_size": 2, "n_workers": 1})
    settings = settings.model_copy(update={"proxies": proxies})
    real, begun = train_stack_module.train_on_streams, []

    def killed(*arguments: Any, **options: Any) -> Any:
        begun.append(1)
        if len(begun) == 3:
            raise Killed
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(train_stack_module, "train_on_streams", killed)
        with pytest.raises(Killed):
            train_language_models(store, settings, ["all", "half"])
        train_language_models(store, settings, ["all", "half"])
    # Of four stacks the two that were finished are not trained again.
    assert len(begun) == 3 + 2
    whole = write_small_lake(tmp_path / "whole")[1]
    train_language_models(whole, settings, ["all", "half"])
    for mix in ("all", "half"):
        assert weights_of(store, mix) == weights_of(whole, mix)
        assert models_path(store, mix).read_bytes() == models_path(whole, mix).read_bytes()


def test_checkpoints_that_no_run_can_resume_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, store = write_small_lake(tmp_path, budgets=[512], n_seeds=1)
    folder = store.root / LANGUAGE_MODELS_UNFINISHED

    def killed(settings: Settings, mixes: list[str]) -> str:
        """The name of the folder that a killed training leaves."""
        before = set(folder.iterdir()) if folder.exists() else set()

        def kill(*_: Any, **__: Any) -> None:
            raise Killed

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(train_stack_module, "train_on_streams", kill)
            train_language_models(store, settings, mixes)
        (left,) = set(folder.iterdir()) - before
        return left.name

    def names() -> set[str]:
        return {each.name for each in folder.iterdir()}

    sooner = changed(settings, {"warmup_steps": 3})
    of_other_settings = killed(sooner, ["half"])
    of_both = killed(settings, ["half", "all"])
    assert of_other_settings not in names(), "its recipe is not the present one"
    without_record = folder / "0123"
    without_record.mkdir()
    with unfinished_models(store, "in_use", {"half": "of settings that are gone"}):
        train_language_models(store, settings, ["half"])
        assert names() == {of_both, "in_use"}
    # Now nobody works on the one, and `half`, of which the other is too, has its models.
    train_language_models(store, settings, ["half"])
    assert names() == set()
    assert killed(settings, ["all"]) in names()
    train_language_models(store, settings, ["half"])
    assert len(names()) == 1, "the models of `all` are still wanted"


def test_a_model_that_diverges_is_a_row_without_a_folder(tmp_path: Path) -> None:
    settings, store = write_small_lake(tmp_path, budgets=[512], n_seeds=1)
    train_language_models(store, changed(settings, {"learning_rate": 1e30}), ["all"])
    (row,) = store.read_table(models_path(store, "all")).iter_rows(named=True)
    assert (row["status"], row["folder"]) == ("failed", None)
    assert "lower the learning rate" in row["reason"]
    assert read_models(store, "all") == ()


def test_the_trainer_gives_models_of_the_same_form(tmp_path: Path) -> None:
    settings, store = write_small_lake(tmp_path, budgets=[512], n_seeds=1)
    train_language_models(store, settings, ["all"])
    (of_stack,) = read_models(store, "all")
    train_language_models(store, changed(settings, engine="trainer"), ["all"])
    (model,) = read_models(store, "all")
    assert model.training["engine"] == "trainer"
    assert model.training["train_loss_nats"] == pytest.approx(
        of_stack.training["train_loss_nats"], abs=0.05
    )
    assert load_stack(store, settings, [model]).model.n_proxies == 1


def test_large_models_are_trained_one_by_one(trained: Lake) -> None:
    settings, _ = trained
    assert engine_of(settings, 32_000) == "stack"
    assert engine_of(changed(settings, {"architecture": "60m"}), 32_000) == "stack"
    assert engine_of(changed(settings, {"architecture": "160m"}), 32_000) == "trainer"
    assert engine_of(changed(settings, {"architecture": "160m"}, engine="stack"), 9) == "stack"
    assert engine_of(changed(settings, engine="trainer"), 9) == "trainer"


def test_settings_that_are_read_are_declared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, store = write_small_lake(tmp_path, budgets=[512], n_seeds=1)
    with recorded_reads(monkeypatch) as reads:
        train_language_models(store, settings, ["all"])
    declared = set(settings_used(settings, "mixes/all/language_model"))
    allowed = {
        *WITHOUT_EFFECT,
        "proxies.n_threads",  # the last bits of weights
        "proxies.training*",  # where the recipe of the models is put
        "proxies.max_document_share",  # another value is put there
    }
    undeclared = {
        path
        for path in reads.paths
        if not is_declared(path, declared)
        and not any(fnmatchcase(path, pattern.replace("[", "[[]")) for pattern in allowed)
    }
    assert "evidence.model.learning_rate" in reads.paths
    assert not undeclared


def test_a_mix_that_is_not_finished_is_named(trained: Lake) -> None:
    settings, store = trained
    with pytest.raises(MissingOutputError, match="unknown"):
        train_language_models(store, settings, ["unknown"])
