import json
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from quadmix_assets.corpus.question_files import Question, read_questions
from quadmix_assets_tests.lakes import write_lines

CHOICE = {"question": "Which is a fruit?", "choices": ["stone", "plum"], "answer": 1}
OPEN = {"question": "Who wrote Emma?", "answers": ["Jane Austen", "Austen"]}


def read(folder: Path, rows: list[Any], task: str = "own", n_shot: int = 0) -> list[Question]:
    file = folder / "questions.jsonl"
    write_lines(file, rows)
    return read_questions(UPath(file), task=task, n_shot=n_shot)


def problem(folder: Path, rows: list[Any], **options: Any) -> str:
    with pytest.raises(ValueError) as error:
        read(folder, rows, **options)
    return str(error.value)


def test_questions_with_choices(tmp_path: Path) -> None:
    subject = CHOICE | {"subject": "botany", "id": "7", "answer": "0"}
    first, second = read(tmp_path, [CHOICE, subject])
    assert first == Question("Which is a fruit?", ("stone", "plum"), 1)
    assert (second.answer, second.subject, second.is_open) == (0, "botany", False)


def test_open_questions_and_empty_aliases(tmp_path: Path) -> None:
    first, second = read(tmp_path, [OPEN, OPEN | {"answers": ["", "Austen"]}])
    assert (first.answers, first.is_open) == (("Jane Austen", "Austen"), True)
    assert second.answers == ("Austen",)


def test_order_is_of_the_texts_and_not_of_the_file(tmp_path: Path) -> None:
    rows = [CHOICE | {"question": f"Question {n}?"} for n in range(30)]
    forward = sorted(read(tmp_path, rows), key=lambda each: each.key)
    backward = sorted(read(tmp_path, rows[::-1]), key=lambda each: each.key)
    assert forward == backward
    assert [each.text for each in forward] != [row["question"] for row in rows]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"text": "x"}, "the row has the keys text; expected an object with the keys question"),
        ({"question": "x"}, "the row has the keys question; expected"),
        (CHOICE | {"question": 3}, "question is a number, expected a string"),
        (CHOICE | {"question": " "}, "question is empty"),
        (CHOICE | {"answer": 2}, "answer is 2, expected 0 to 1"),
        (CHOICE | {"answer": -1}, "answer is -1, expected 0 to 1"),
        (CHOICE | {"answer": None}, "answer is None, expected 0 to 1"),
        (CHOICE | {"choices": ["a"]}, "expected at least two"),
        (CHOICE | {"choices": ["a", ""]}, "choices holds an empty string"),
        (CHOICE | {"choices": ["a", 3]}, "choices[1] is a number, expected a string"),
        (CHOICE | {"choices": "ab"}, "choices is a string, expected a list of strings"),
        ({"question": "x", "choices": ["a", "b"]}, "choices but no answer"),
        ({"question": "x", "answers": []}, "answers is an empty list"),
        ({"question": "x", "answers": [""]}, "answers holds empty strings alone"),
        (OPEN, "the question is open, but the file's first one has choices"),
        ([1], "expected an object"),
    ],
)
def test_row_that_is_no_question_is_named(tmp_path: Path, row: Any, words: str) -> None:
    message = problem(tmp_path, [CHOICE, row])
    assert message.startswith(f"{tmp_path / 'questions.jsonl'}, row 2: ")
    assert words in message
    assert "Correct or delete the row" in message


def test_line_that_is_not_json_is_named(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(json.dumps(CHOICE) + "\n{question\n")
    with pytest.raises(ValueError, match=r"questions\.jsonl, row 2: "):
        read_questions(UPath(file), task="own")


def test_known_tasks_ask_questions_of_one_kind(tmp_path: Path) -> None:
    assert "row 1: the question is open, but the task piqa has choices" in problem(
        tmp_path, [OPEN], task="piqa"
    )
    assert "row 1: the question has choices, but the task svamp is open" in problem(
        tmp_path, [CHOICE], task="svamp"
    )


def test_solved_examples_leave_questions_to_ask(tmp_path: Path) -> None:
    assert len(read(tmp_path, [CHOICE] * 3, n_shot=2)) == 3
    message = problem(tmp_path, [CHOICE] * 3, n_shot=3)
    assert "3 questions are too few for the task own with 3 solved examples" in message


def test_empty_and_absent_files(tmp_path: Path) -> None:
    assert "holds no question" in problem(tmp_path, [])
    with pytest.raises(FileNotFoundError, match=r"nowhere\.jsonl.*the task own"):
        read_questions(UPath(tmp_path / "nowhere.jsonl"), task="own")
