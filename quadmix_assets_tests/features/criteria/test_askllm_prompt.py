from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.features.criteria.askllm_prompt import Prompt


def write(folder: Path, text: str) -> Path:
    path = folder / "prompt.txt"
    path.write_text(text)
    return path


def test_built_in_prompt_frames_the_document_and_offers_both_answers() -> None:
    prompt = Prompt.read()
    assert prompt.before == f"{prompt.marker}\n"
    assert prompt.after.startswith(f"\n{prompt.marker}\n")
    assert prompt.after.endswith("OPTIONS:\n- yes\n- no")


def test_prompt_of_a_file(tmp_path: Path) -> None:
    path = write(tmp_path, "Read this.\n=====\n{document}\n=====\nGood?\n")
    assert Prompt.read(path) == Prompt("Read this.\n=====\n", "\n=====\nGood?", "=====")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Good?\nyes or no\n", "expected one line {document}.* found 0"),
        ("###\n{document}\n###\n{document}\n", "found 2"),
        ("###\n{document}\n###\nIs {document} good?\n", "expected one line"),
        ("###\n{document}\n---\nGood?\n", "line 2: expected .* between two equal lines"),
        ("{document}\nGood?\n", "line 1: expected .* between two equal lines"),
        ("#\n{document}\n#\nGood?\n", "at least 3 characters"),
        ("# # #\n{document}\n# # #\nGood?\n", "without spaces"),
    ],
)
def test_prompt_that_does_not_frame_the_document(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        Prompt.read(write(tmp_path, text))
    assert "prompt.txt" in str(error.value)


@given(
    text=st.text(st.sampled_from("#ab \n"), max_size=40),
    marker=st.text(st.sampled_from("#a"), min_size=3, max_size=5),
)
def test_no_document_holds_the_marker(text: str, marker: str) -> None:
    prompt = Prompt(f"{marker}\n", f"\n{marker}\n", marker)
    inside = prompt.inside(text)
    assert marker not in inside
    assert inside.replace(" ", "") == text.replace(" ", "")


def test_text_without_the_marker_is_left_alone() -> None:
    text = "## A heading\n\n# and another, ## and more"
    assert Prompt.read().inside(text) == text
