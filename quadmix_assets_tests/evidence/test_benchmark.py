"""The models of mixes are measured on all sets, and again on new ones without training."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from torch.nn import functional as F  # noqa: N812
from transformers import AutoModelForCausalLM

from quadmix_assets.corpus.target_sets import PROOF
from quadmix_assets.corpus.target_tables import read_target_tokens
from quadmix_assets.corpus.tokenizer import project_tokenizer, separator_id
from quadmix_assets.device import torch_threads
from quadmix_assets.evidence import language_model
from quadmix_assets.evidence.benchmark import measure_mix
from quadmix_assets.evidence.language_model import read_models, train_language_models
from quadmix_assets.evidence.overlap import OVERLAP_SCHEMA, overlap_of
from quadmix_assets.evidence.plots import plot_losses_on_sets
from quadmix_assets.evidence.result_tables import losses_table, tasks_table
from quadmix_assets.evidence.results import (
    RESULTS_SCHEMA,
    overlap_path,
    read_results,
    results_frame,
)
from quadmix_assets.evidence.trigram_of_mix import n_tokens_counted, trigram_of_mix
from quadmix_assets.mix.selections import read_mix
from quadmix_assets.settings import Settings, load_settings
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.evidence.small_lake import (
    HELD_OUT_IN_POOL,
    N_DOCUMENTS,
    TARGET_IN_POOL,
    pool_texts,
    put_sets,
    write_small_lake,
)
from quadmix_assets_tests.lakes import write_lines

pytestmark = pytest.mark.slow
SETS = [("planted", "target"), ("stories", "held_out"), ("quiz", "held_out")]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Store]:
    settings, store = write_small_lake(tmp_path_factory.mktemp("evidence"))
    train_language_models(store, settings, ["all", "half"])
    for mix in ("all", "half"):
        measure_mix(store, settings, mix)
    return settings, store


def test_every_model_is_measured_on_every_set(lake: tuple[Settings, Store]) -> None:
    settings, store = lake
    for mix in ("all", "half"):
        found = read_results(store, mix)
        assert dict(found.schema) == {name: kind() for name, kind in RESULTS_SCHEMA.items()}
        assert found["mix"].unique().to_list() == [mix]
        rows = found.filter(pl.col("metric") == "loss_nats")
        expected = {
            (model, budget, seed, name, kind)
            for name, kind in SETS
            for model, budget, seed in (
                *(("language_model", budget, k) for budget in (512, 2_048) for k in range(2)),
                ("trigram", 2_048, 0),
            )
        }
        keys = ("model", "budget", "seed", "set", "kind")
        assert set(rows.select(keys).iter_rows()) == expected
        assert rows.height == len(expected)
        # Only the quiz has choices.
        choices = found.filter(pl.col("metric") == "choice_probability")
        assert choices["set"].unique().to_list() == ["quiz"]
        assert choices["chance"].unique().to_list() == pytest.approx([1 / 3])
        assert found["value"].is_finite().all()
        assert (found.filter(pl.col("n") > 1)["standard_error"] > 0).all()
    # The models of the two mixes differ.
    by_mix = [read_results(store, mix)["value"] for mix in ("all", "half")]
    assert (by_mix[0] != by_mix[1]).all()
    assert settings.evidence.largest_budget == 2_048


@torch.no_grad()
def test_losses_are_those_of_the_folder_in_transformers(lake: tuple[Settings, Store]) -> None:
    settings, store = lake
    tokenizer = project_tokenizer(store)
    documents = read_target_tokens(store, "planted", tokenizer, part=PROOF)
    taken = np.cumsum([len(each) for each in documents.documents]) <= 400
    model = read_models(store, "half")[-1]
    network = AutoModelForCausalLM.from_pretrained(str(model.folder)).eval()
    nats, n_tokens = 0.0, 0
    with torch_threads(1):
        for document in np.array(documents.documents, object)[taken]:
            text = torch.tensor([[separator_id(tokenizer), *document.tolist()]])
            for start in range(0, text.shape[1] - 1, settings.evidence.model.context):
                window = text[:, start : start + settings.evidence.model.context + 1]
                logits = network(window[:, :-1]).logits[0].float()
                nats += F.cross_entropy(logits, window[0, 1:], reduction="sum").item()
            n_tokens += len(document)
    (row,) = (
        read_results(store, "half")
        .filter(
            pl.col("budget") == model.budget,
            pl.col("seed") == model.seed,
            pl.col("model") == "language_model",
            pl.col("set") == "planted",
            pl.col("metric") == "loss_nats",
        )
        .to_dicts()
    )
    rough = str(model.training["precision"]) == "bfloat16"
    assert row["value"] == pytest.approx(nats / n_tokens, rel=1e-2 if rough else 1e-4)
    assert row["n"] == taken.sum()


def test_models_are_measured_on_a_new_set_without_training(
    lake: tuple[Settings, Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, store = lake

    def no_training(*_: object, **__: object) -> None:
        raise AssertionError("a model was trained")

    monkeypatch.setattr(language_model, "train_prepared", no_training)
    before = read_results(store, "all")
    path = settings.root / "tiny.yaml"
    changed = yaml.safe_load(path.read_text())
    new = write_lines(tmp_path / "new.jsonl", [{"text": "a wholly new text of one document"}])
    changed["evidence"]["held_out"].append({"name": "new", "path": str(new)})
    path.write_text(yaml.safe_dump(changed))
    wider = load_settings(path)
    with pytest.raises(MissingOutputError, match="held_out_sets"):
        measure_mix(store, wider, "all")
    put_sets(store, wider)
    train_language_models(store, wider, ["all"])
    found = measure_mix(store, wider, "all")
    assert found.filter(pl.col("set") != "new").equals(before)
    added = found.filter(pl.col("set") == "new")
    assert added["n"].unique().to_list() == [1]
    assert added["standard_error"].null_count() == added.height > 0


def test_what_pool_and_mix_hold_of_the_sets(lake: tuple[Settings, Store]) -> None:
    _, store = lake
    half = {f"{shard}-{n}" for shard in "ab" for n in range(0, N_DOCUMENTS, 2)}
    targets = store.read_table(store.table_path("target_sets", "planted.proof"))["text"]
    in_proof = pool_texts()[TARGET_IN_POOL] in targets.to_list()
    for mix, taken in (("all", set(pool_texts())), ("half", half)):
        table = store.read_table(overlap_path(store, mix))
        assert dict(table.schema) == {name: kind() for name, kind in OVERLAP_SCHEMA.items()}
        rows = {row["set"]: row for row in table.iter_rows(named=True)}
        assert rows["stories"]["n_documents"] == 21
        assert rows["stories"]["n_in_pool"] == 1
        assert rows["stories"]["n_in_mix"] == (HELD_OUT_IN_POOL in taken)
        assert rows["planted"]["n_in_pool"] == in_proof
        assert rows["planted"]["n_in_mix"] == (in_proof and TARGET_IN_POOL in taken)
        assert rows["quiz"]["n_in_pool"] == 0


def test_shards_that_were_not_compared_leave_the_overlap_open(
    lake: tuple[Settings, Store], tmp_path: Path
) -> None:
    settings, store = lake
    path = store.table_path("target_overlap", "b")
    kept, summary = store.read_table(path), store.summary(path)
    store.delete(path)
    table = overlap_of(store, settings, read_mix(store, "all"))
    assert table["n_in_pool"].null_count() == table["n_in_mix"].null_count() == table.height
    store.write_table(path, kept, {"inputs": {"target_sets": "another"}})
    assert overlap_of(store, settings, read_mix(store, "all"))["n_in_mix"].null_count()
    store.write_table(path, kept, summary)


def test_a_trigram_model_counts_whole_documents_up_to_its_size(
    lake: tuple[Settings, Store],
) -> None:
    settings, store = lake
    assert n_tokens_counted(settings) == 2_048
    for mix in ("all", "half"):
        rows = read_mix(store, mix)
        whole = rows.manifest["totals"]["n_tokens_out"]
        counted = trigram_of_mix(store, settings, rows).n_tokens
        longest = max(
            row["n_tokens"] * row["copies"] for _, table in rows for row in table.to_dicts()
        )
        assert min(whole, 2_048) - longest < counted <= min(whole, 2_048)


def test_tables_and_figure_show_what_was_measured(lake: tuple[Settings, Store]) -> None:
    _, store = lake
    found = read_results(store, "half")
    table = losses_table(found)
    assert table["set"].to_list() == [name for name, _ in SETS]
    losses = found.filter(pl.col("set") == "quiz", pl.col("metric") == "loss_nats")
    of_largest = losses.filter(pl.col("budget") == 2_048, pl.col("model") == "language_model")
    row = table.filter(pl.col("set") == "quiz").row(0, named=True)
    assert row["loss, nats per token (2,048 tokens)"] == pytest.approx(of_largest["value"].mean())
    assert row["spread of seeds"] == pytest.approx(of_largest["value"].std())
    assert row["trigram"] == losses.filter(pl.col("model") == "trigram")["value"][0]
    assert 0 < row["probability of the right choice"] < 1
    (axes,) = plot_losses_on_sets(found, mix="half").axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["planted", "stories (held out)", "quiz (held out)"]


def test_a_task_at_chance_level_says_so() -> None:
    key = {"mix": "m", "model": "language_model", "budget": 9, "kind": "task", "chance": 0.25}
    rows = [
        key | {"seed": k, "set": task, "metric": "acc", "value": value, "standard_error": 0.02}
        | {"n": 400}
        for task, value in (("guessed", 0.26), ("known", 0.5))
        for k in range(2)
    ]  # fmt: skip
    table = tasks_table(results_frame(rows))
    assert dict(table.select("task", "says").iter_rows()) == {
        "guessed": "at chance level",
        "known": "above chance",
    }
