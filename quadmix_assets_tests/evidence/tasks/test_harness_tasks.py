from pathlib import Path
from typing import Any, NoReturn

import lm_eval
import pytest
import yaml
from lm_eval.tasks import TaskManager
from lm_eval.utils import apply_template
from upath import UPath

from quadmix_assets.corpus.question_files import CHOICE_TASKS, OPEN_TASKS
from quadmix_assets.evidence.tasks.abilities import ABILITIES
from quadmix_assets.evidence.tasks.harness_tasks import HarnessTask, harness_task, local_task
from quadmix_assets.settings import TaskSettings
from quadmix_assets_tests.lakes import write_lines

OWN = Path(lm_eval.__file__).parent / "tasks"
QUESTION, CHOICES = "Which of these is a fruit", ["a stone", "a plum", "a nail", "a word"]
CHOICE = {"question": f"{QUESTION}?", "choices": CHOICES, "answer": 1, "subject": "plant_biology"}
OPEN = {"question": QUESTION, "answers": ["a plum", "plum"]}


def prompt(task: HarnessTask) -> tuple[str, list[str]]:
    """Of the first question what stands before the answer, and the choices with what is between."""
    (part,) = task.parts.values()
    part.build_all_requests(limit=1)
    before = {instance.args[0] for instance in part.instances}
    assert len(before) == 1
    return before.pop(), [instance.args[1] for instance in part.instances]


def local_prompt(folder: Path, name: str, row: dict[str, Any]) -> tuple[str, list[str]]:
    write_lines(folder / "file.jsonl", [row])
    settings = TaskSettings(name=name, path="file.jsonl")
    return prompt(local_task(settings, UPath(folder / "file.jsonl"), folder, max_questions=None))


@pytest.mark.parametrize(
    ("name", "file", "document"),
    [
        ("piqa", "piqa/piqa.yaml", {"goal": CHOICE["question"], "sol1": CHOICES[0],
                                    "sol2": CHOICES[1], "label": 1}),
        ("hellaswag", "hellaswag/hellaswag.yaml", {"query": CHOICE["question"],
                                                   "choices": CHOICES, "label": 1}),
        ("openbookqa", "openbookqa/openbookqa.yaml",
         {"question_stem": CHOICE["question"], "answerKey": "B",
          "choices": {"text": CHOICES, "label": list("ABCD")}}),
        ("arc_easy", "arc/arc_easy.yaml", {"question": CHOICE["question"], "answerKey": "B",
                                           "choices": {"text": CHOICES, "label": list("ABCD")}}),
        ("mmlu", "mmlu/default/_default_template_yaml",
         {"question": CHOICE["question"], "choices": CHOICES, "answer": 1}),
        ("mmlu_continuation", "mmlu/continuation/_continuation_template_yaml",
         {"question": CHOICE["question"], "choices": CHOICES, "answer": 1}),
    ],
)  # fmt: skip
def test_questions_with_choices_read_as_in_the_harness(
    tmp_path: Path, name: str, file: str, document: dict[str, Any]
) -> None:
    text = (OWN / file).read_text().replace("!function ", "")
    theirs = yaml.safe_load(text)
    expected = document.get(theirs["doc_to_text"]) or apply_template(
        theirs["doc_to_text"], document
    )
    choices = theirs["doc_to_choice"]
    if isinstance(choices, str):
        filled = document.get(choices) or apply_template(choices, document)
        choices = filled if isinstance(filled, list) else yaml.safe_load(filled)
    row = CHOICE | {"choices": CHOICES[:2]} if name == "piqa" else CHOICE
    if "mmlu" not in name:
        row = row | {"subject": ""}
    before, after = local_prompt(tmp_path, name, row)
    if "mmlu" in name:
        of_subject = "mmlu_anatomy.yaml"
        theirs = yaml.safe_load((OWN / file).with_name(of_subject).read_text())
        expected = theirs["description"].replace("anatomy", "plant biology") + expected
    assert before == expected
    assert after == [f" {choice}" for choice in choices]


@pytest.mark.parametrize(
    ("name", "file"), [("triviaqa", "triviaqa/default.yaml"), ("nq_open", "nq_open/nq_open.yaml")]
)
def test_open_questions_read_and_end_as_in_the_harness(
    tmp_path: Path, name: str, file: str
) -> None:
    theirs = yaml.safe_load((OWN / file).read_text())
    write_lines(tmp_path / "file.jsonl", [OPEN])
    settings = TaskSettings(name=name, path="file.jsonl")
    task = local_task(settings, UPath(tmp_path / "file.jsonl"), tmp_path, max_questions=None)
    before, _ = prompt(task)
    expected = theirs.get("description", "") + apply_template(theirs["doc_to_text"], OPEN)
    assert before == expected
    config = task.parts[name].config
    own = config.generation_kwargs
    assert (own["until"], own["do_sample"]) == (theirs["generation_kwargs"]["until"], False)
    assert config.metric_list == theirs["metric_list"]


@pytest.mark.parametrize(
    ("written", "accepted", "is_right"),
    [
        (" 51. So 2 are left", "51", 1.0),
        (" It is 1,251 dollars", "1251", 1.0),
        (" 8.00 dollars", "8", 1.0),
        (" 52", "51", 0.0),
        (" many", "51", 0.0),
        (" -3", "3", 0.0),
    ],
)
def test_answers_in_numbers(tmp_path: Path, written: str, accepted: str, is_right: float) -> None:
    write_lines(tmp_path / "file.jsonl", [{"question": "How many?", "answers": [accepted]}])
    settings = TaskSettings(name="svamp", path="file.jsonl")
    task = local_task(settings, UPath(tmp_path / "file.jsonl"), tmp_path, max_questions=None)
    (part,) = task.parts.values()
    part.build_all_requests()
    (instance,) = part.instances
    instance.resps.append(written)
    part.apply_filters()
    (answer,) = instance.filtered_resps.values()
    assert part.process_results(instance.doc, [answer])["exact_match"] == is_right


def test_known_tasks_are_those_with_files() -> None:
    manager = TaskManager(
        include_path=Path(local_task.__code__.co_filename).parent / "local", include_defaults=False
    )
    kinds = {name: entry.cfg["output_type"] for name, entry in manager.task_index.items()}
    assert kinds.pop("multiple_choice") == "multiple_choice"
    assert kinds.pop("open_questions") == "generate_until"
    assert {name for name, kind in kinds.items() if kind == "multiple_choice"} == CHOICE_TASKS
    assert {name for name, kind in kinds.items() if kind == "generate_until"} == OPEN_TASKS
    assert kinds.keys() == ABILITIES.keys()


def test_groups_of_the_harness_are_one_task(harness: TaskManager) -> None:
    settings = TaskSettings(name="both")
    every = harness_task(settings, harness, max_questions=None)
    assert every.parts.keys() == {"first", "second"}
    assert every.samples == {}
    some = harness_task(settings, harness, max_questions=6)
    assert sum(len(numbers) for numbers in some.samples.values()) == 6
    fewer = harness_task(settings, harness, max_questions=3)
    assert all(set(fewer.samples[name]) <= set(some.samples[name]) for name in fewer.samples)
    one = harness_task(settings, harness, max_questions=1)
    assert one.parts.keys() == one.samples.keys()
    assert len(one.parts) == 1


def test_tasks_that_the_harness_has_not(harness: TaskManager) -> None:
    with pytest.raises(ValueError, match=r"has no task of this name \(it has first\)"):
        harness_task(TaskSettings(name="frst"), harness, max_questions=None)


def test_data_that_cannot_be_had(harness: TaskManager, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> NoReturn:
        raise ConnectionError("no network")

    monkeypatch.setattr("datasets.load_dataset", refuse)
    with pytest.raises(ValueError, match=r"tasks\[absent\].*no network.*set path to a file"):
        harness_task(TaskSettings(name="absent"), harness, max_questions=None)
