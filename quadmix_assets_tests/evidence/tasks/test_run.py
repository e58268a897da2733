import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import polars as pl
import pytest
from lm_eval.tasks import TaskManager
from upath import UPath

from quadmix_assets.corpus.question_files import read_questions
from quadmix_assets.evidence.language_model import StoredModel
from quadmix_assets.evidence.results import RESULTS_SCHEMA
from quadmix_assets.evidence.tasks.run import run_tasks
from quadmix_assets.settings import TaskSettings
from quadmix_assets.store import Store
from quadmix_assets_tests.evidence.tasks.asked import CONTEXT, Plain, stored_models
from quadmix_assets_tests.lakes import write_lines

WORDS = ["plum", "stone", "a plum, and not a stone", "fruit", "which?", "an answer of these"]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, list[StoredModel]]:
    return stored_models(tmp_path_factory.mktemp("lake"))


Ask = Callable[..., pl.DataFrame]


@pytest.fixture
def ask(lake: tuple[Store, list[StoredModel]], tmp_path: Path) -> Ask:
    store, models = lake

    def asked(
        name: str, rows: list[dict[str, Any]], n_shot: int = 0, max_questions: int | None = None
    ) -> pl.DataFrame:
        file = tmp_path / f"{name}.jsonl"
        write_lines(file, rows)
        task = TaskSettings(name=name, path=str(file), n_shot=n_shot)
        return run_tasks(
            store, models, [task], {name: UPath(file)}, max_questions=max_questions, device="cpu"
        )

    return asked


def values(found: pl.DataFrame, seed: int) -> dict[str, dict[str, Any]]:
    rows = found.filter(pl.col("seed") == seed).iter_rows(named=True)
    return {row["metric"]: row for row in rows}


def choice_rows(n: int = 12) -> list[dict[str, Any]]:
    return [
        {
            "question": f"Which of these is number {n}?",
            "choices": [WORDS[(n + k) % len(WORDS)] for k in range(2 + n % 3)],
            "answer": n // 3 % 2,
        }
        for n in range(n)
    ]


def check(row: dict[str, Any], each: list[float]) -> None:
    assert row["value"] == pytest.approx(np.mean(each), abs=1e-5)
    assert row["standard_error"] == pytest.approx(np.std(each, ddof=1) / len(each) ** 0.5, abs=1e-5)
    assert row["n"] == len(each)


def test_choices_as_plain_code_finds_them(lake: tuple[Store, list[StoredModel]], ask: Ask) -> None:
    rows = choice_rows()
    found = ask("own", rows)
    assert found.schema == pl.Schema(RESULTS_SCHEMA)
    for model in lake[1]:
        plain, expected = Plain(model), dict[str, list[float]]()
        for row in rows:
            before = f"Question: {row['question']}\nAnswer:"
            nats = [plain.logarithms(before, f" {choice}").sum() for choice in row["choices"]]
            lengths = np.array([len(choice) for choice in row["choices"]])
            shares = np.exp(nats) / np.exp(nats).sum()
            by_byte = np.exp(nats / lengths) / np.exp(nats / lengths).sum()
            right = row["answer"]
            for metric, value in {
                "acc": np.argmax(nats) == right,
                "acc_norm": np.argmax(nats / lengths) == right,
                "choice_probability": shares[right],
                "choice_probability_norm": by_byte[right],
                "choice_nats": -np.log(shares[right]),
            }.items():
                expected.setdefault(metric, []).append(float(value))
        measured = values(found, model.seed)
        assert measured.keys() == expected.keys()
        for metric, each in expected.items():
            check(measured[metric], each)
            chance = np.mean([1 / len(row["choices"]) for row in rows])
            wanted = None if metric == "choice_nats" else pytest.approx(chance)
            assert measured[metric]["chance"] == wanted
    assert found.select("mix", "model", "budget", "set", "kind").unique().rows() == [
        ("one", "language_model", 4096, "own", "task")
    ]
    assert 0 < values(found, 0)["acc"]["value"] < 1


def test_written_answers_as_plain_code_finds_them(
    lake: tuple[Store, list[StoredModel]], ask: Ask
) -> None:
    model = lake[1][0]
    plain = Plain(model)
    questions = [f"Is {n} a fruit" for n in range(6)]
    # The model writes the first half of the accepted answers, capitalised in another way.
    written = [
        plain.written(f"Question: {q}?\nAnswer:", n_tokens=24, until="\n.,") for q in questions
    ]
    assert all(re.search("[a-z]", text) for text in written[:3])
    answers = [["usual", text.upper()] if n < 3 else ["usual"] for n, text in enumerate(written)]
    rows = [{"question": q, "answers": a} for q, a in zip(questions, answers, strict=True)]
    measured = values(ask("triviaqa", rows), 0)
    check(measured["exact_match"], [1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    assert measured["exact_match"]["chance"] == 0.0
    nats = [-plain.logarithms(f"Question: {q}?\nAnswer:", " usual").mean() for q in questions]
    check(measured["answer_nats"], nats)
    assert measured["answer_nats"]["chance"] is None


def test_solved_examples_come_first_and_are_not_asked(
    lake: tuple[Store, list[StoredModel]], ask: Ask, tmp_path: Path
) -> None:
    rows = [{"question": f"Is it {n}?", "choices": ["yes", "no"], "answer": 0} for n in range(5)]
    found = values(ask("own", rows, n_shot=1), 0)["choice_nats"]
    first, *others = sorted(
        read_questions(UPath(tmp_path / "own.jsonl"), task="own"), key=lambda each: each.key
    )
    example = f"Question: {first.text}\nAnswer: yes\n\n"
    plain, each = Plain(lake[1][0]), []
    for question in others:
        before = f"{example}Question: {question.text}\nAnswer:"
        nats = [plain.logarithms(before, f" {choice}").sum() for choice in question.choices]
        each.append(float(np.log(np.exp(nats).sum()) - nats[0]))
    check(found, each)


def test_long_questions_lose_their_beginning_and_long_choices_are_left_out(
    lake: tuple[Store, list[StoredModel]], ask: Ask
) -> None:
    long = "Which of these is a fruit, " * 20 + "at last?"
    rows = [
        {"question": long, "choices": ["plum", "stone"], "answer": 0},
        {"question": "Which?", "choices": ["plum", "xyzw " * CONTEXT], "answer": 0},
    ]
    found = values(ask("own", rows), 0)["choice_probability"]
    plain = Plain(lake[1][0])
    nats = [
        plain.logarithms(f"Question: {long}\nAnswer:", f" {choice}").sum()
        for choice in ("plum", "stone")
    ]
    assert found["n"] == 1
    assert found["value"] == pytest.approx(np.exp(nats[0]) / np.exp(nats).sum(), abs=1e-5)
    assert found["standard_error"] is None


def test_first_questions_do_not_depend_on_the_order_of_the_file(ask: Ask) -> None:
    rows = choice_rows()
    few = ask("own", rows, max_questions=5)
    assert few["n"].unique().to_list() == [5]
    assert few.equals(ask("own", rows[::-1], max_questions=5))


def test_questions_are_asked_without_network_and_leave_nothing(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a connection was opened")

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert ask("mmlu", choice_rows(4)).height
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "home").exists()


def test_tasks_of_the_harness(
    lake: tuple[Store, list[StoredModel]],
    harness: TaskManager,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(
        "quadmix_assets.evidence.tasks.harness_tasks.all_harness_tasks", lambda: harness
    )
    store, models = lake
    tasks = [TaskSettings(name="both"), TaskSettings(name="pronouns")]
    with caplog.at_level("INFO"):
        found = run_tasks(store, models[:1], tasks, {}, max_questions=14, device="cpu")
    told = [message for message in caplog.messages if "has answered" in message]
    assert len(told) == 2
    assert told[0].startswith("one: model 0 of 4,096 tokens has answered both, in ")
    assert found["set"].unique(maintain_order=True).to_list() == ["both", "pronouns"]
    of_both, of_pronouns = (values(found.filter(set=name), 0) for name in ("both", "pronouns"))
    assert {row["n"] for row in of_both.values()} == {14}
    assert {row["n"] for row in of_pronouns.values()} == {3}
    plain = Plain(models[0])
    nats = [plain.logarithms(text, " is a fruit.").sum() for text in ("The plum", "The stone")]
    share = np.exp(nats[1]) / np.exp(nats).sum()
    assert of_pronouns["choice_probability"]["value"] == pytest.approx(share, abs=1e-5)
    assert of_pronouns["acc"]["value"] == float(nats[1] > nats[0])


def test_a_bad_question_is_named(ask: Ask) -> None:
    with pytest.raises(ValueError, match=r"own\.jsonl, row 3: answer is 9, expected 0 to 1"):
        ask("own", [*choice_rows(2), choice_rows(1)[0] | {"answer": 9}])


def test_no_task_and_no_model_is_no_row(lake: tuple[Store, list[StoredModel]]) -> None:
    store, models = lake
    for of, tasks in ((models, []), ([], [TaskSettings(name="piqa")])):
        found = run_tasks(store, of, tasks, {}, max_questions=None, device="cpu")
        assert found.schema == pl.Schema(RESULTS_SCHEMA)
        assert found.is_empty()


def test_the_harness_is_imported_only_when_tasks_are_run() -> None:
    code = "import sys, quadmix_assets.evidence.tasks.run; print('lm_eval' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
