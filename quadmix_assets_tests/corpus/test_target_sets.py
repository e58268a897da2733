import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from quadmix_assets.corpus.target_sets import PARTS, read_target_set, split_target_set
from quadmix_assets_tests.corpus.reading import CORPUS, needs_corpus

ROWS = [
    {"prompt": "2 + 2?", "response": "4", "choices": ["3", "4"]},
    {"prompt": "{braces}", "response": "kept", "choices": ["a", "b"]},
]


def write(path: Path, rows: list[dict[str, Any]]) -> UPath:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return UPath(path)


def words_of(documents: pl.DataFrame) -> list[list[str]]:
    """The words of the template in every document."""
    return [
        [row["text"][span["start"] : span["stop"]] for span in row["template"]]
        for row in documents.iter_rows(named=True)
    ]


def test_text_column(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"id": 7, "text": "x"}, {"text": "y"}])
    expected = [
        {"id": "7", "text": "x", "template": [], "choices": []},
        {"id": "t:2", "text": "y", "template": [], "choices": []},
    ]
    assert read_target_set(path, name="t").to_dicts() == expected
    assert read_target_set(path, name="t", text_column="text").to_dicts() == expected


def test_templates_in_every_format(tmp_path: Path) -> None:
    lines = write(tmp_path / "a.jsonl", ROWS)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines.read_bytes()))
    pl.DataFrame(ROWS).write_parquet(tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.jsonl.gz", "a.parquet"):
        found = read_target_set(
            UPath(tmp_path / name), name="oh", template="Q: {prompt}\n\nA: {response} {choices[1]}"
        )
        assert found.select("id", "text").to_dict(as_series=False) == {
            "id": ["oh:1", "oh:2"],
            "text": ["Q: 2 + 2?\n\nA: 4 4", "Q: {braces}\n\nA: kept b"],
        }
        assert words_of(found) == [["Q: ", "\n\nA: ", " "]] * 2


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            "{question}",
            r"a\.jsonl, row 1: .*KeyError: 'question'.* columns prompt, response, choices",
        ),
        ("{choices[2]}", "row 1: .*IndexError"),
        ("{}", r"targets\[t\].template: '{}' is malformed: {} is no column"),
        ("{choices.keys}", "row 1: .*a list has no 'keys'"),
        ("{prompt.upper}", "row 1: .*there is no 'upper' in '2"),
        ("{prompt.__class__}", "row 1: .*there is no '__class__'"),
        ("{prompt:>9999999999}", r"formats \(! and :\) are not known"),
        ("{prompt!r}", r"{prompt!r} is no column"),
        ("{choices[-1]}", "row 1: .*a list has no '-1'"),
        ("{prompt", r"targets\[t\].template: '{prompt' is malformed"),
        ("no column", r"targets\[t\].template: 'no column' names no column"),
    ],
)
def test_templates_that_do_not_fit(tmp_path: Path, template: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_target_set(write(tmp_path / "a.jsonl", ROWS), name="t", template=template)


@pytest.mark.parametrize(
    ("second", "template", "message"),
    [
        ({"text": ""}, None, "row 2: empty_text"),
        ({"text": 3}, None, "row 2: wrong_type: 'text' is a number, expected a string"),
        ({"body": "x"}, None, "row 2: missing_text"),
        ({"id": [], "text": "x"}, None, "row 2: bad_id"),
        ({"text": None}, "{text}", "row 2: .*null"),
        ({"text": " "}, "{text}", "row 2: the filled-in template is empty"),
        ({"id": {}, "text": "x"}, "{text}", "row 2: the id is an object"),
    ],
)
def test_a_bad_row_is_an_error(
    tmp_path: Path, second: dict[str, Any], template: str | None, message: str
) -> None:
    path = write(tmp_path / "a.jsonl", [{"text": "fine"}, second])
    with pytest.raises(ValueError, match=rf"a\.jsonl, {message}"):
        read_target_set(path, name="t", template=template)


def test_broken_lines_are_an_error_with_a_template_too(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n{"text": ')
    with pytest.raises(ValueError, match="row 2: broken_json"):
        read_target_set(UPath(tmp_path / "a.jsonl"), name="t", template="{text}")


def test_labels_that_nearly_all_texts_have_are_a_template(tmp_path: Path) -> None:
    rows = [{"text": f"Question: what is {n}?\n\nThe short answer: Note: {n}"} for n in range(40)]
    rows[7] = {"text": "Free text: with labels of its own.\nThe short answer: none"}
    found = words_of(read_target_set(write(tmp_path / "a.jsonl", rows), name="t"))
    # "Note:" does not begin a line, and "Free text:" begins one only once.
    assert found[0] == ["Question: ", "\n\nThe short answer: "]
    assert found[7] == ["\nThe short answer: "]
    few = words_of(read_target_set(write(tmp_path / "b.jsonl", rows[:10]), name="t"))
    assert few == [[]] * 10
    mixed = rows[:20] + [{"text": f"text {n}"} for n in range(20)]
    assert words_of(read_target_set(write(tmp_path / "c.jsonl", mixed), name="t")) == [[]] * 40


def test_what_is_wrong_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"targets\[oh\]: .*gone\.jsonl"):
        read_target_set(UPath(tmp_path / "gone.jsonl"), name="oh")
    with pytest.raises(ValueError, match=r"columns are: prompt.*Set targets\[oh\]\.text_column"):
        read_target_set(write(tmp_path / "a.jsonl", ROWS), name="oh")
    with pytest.raises(ValueError, match="the target set has no document"):
        read_target_set(write(tmp_path / "b.jsonl", []), name="oh")
    with pytest.raises(ValueError, match="row 2: duplicate_id: an earlier row .* has the id 'a'"):
        read_target_set(write(tmp_path / "c.jsonl", [{"id": "a", "text": "x"}] * 2), name="oh")
    with pytest.raises(ValueError, match="supported are"):
        read_target_set(write(tmp_path / "d.csv", ROWS), name="oh", template="{prompt}")


def test_the_sample_depends_on_ids_and_seed_alone(tmp_path: Path) -> None:
    rows = [{"id": f"d{i}", "text": f"text {i}"} for i in range(200)]
    forward = write(tmp_path / "a.jsonl", rows)
    backward = write(tmp_path / "b.jsonl", rows[::-1])
    samples = [
        read_target_set(path, name="t", max_documents=50, seed=seed)
        for path, seed in ((forward, 1), (backward, 1), (forward, 2))
    ]
    assert [sample.height for sample in samples] == [50, 50, 50]
    assert samples[0].sort("id").equals(samples[1].sort("id"))
    assert set(samples[0]["id"]) != set(samples[2]["id"])
    smaller = read_target_set(forward, name="t", max_documents=20, seed=1)
    assert set(smaller["id"]) < set(samples[0]["id"])
    assert read_target_set(forward, name="t", max_documents=200).height == 200


texts = st.lists(st.text(min_size=1), min_size=1, max_size=50)


def parts_of(
    frame: pl.DataFrame, fit_share: float = 1 / 3, proof_share: float = 0.5, *, seed: int
) -> dict[str, set[str]]:
    """The ids of each part."""
    parts = split_target_set(frame, fit_share=fit_share, proof_share=proof_share, seed=seed)
    return {part: set(parts[part]["id"]) for part in PARTS}


@given(texts, st.integers(0, 2**32), st.randoms())
def test_split_is_a_function_of_text_and_seed(texts: list[str], seed: int, random: Any) -> None:
    texts = [*texts, *(f"anchor {i}" for i in range(80))]  # so that no part is empty
    frame = pl.DataFrame({"id": [str(i) for i in range(len(texts))], "text": texts})
    parts = parts_of(frame, seed=seed)
    assert sorted(id_ for part in parts.values() for id_ in part) == sorted(frame["id"])
    by_text = [set(frame.filter(frame["id"].is_in(part))["text"]) for part in parts.values()]
    assert sum(map(len, by_text)) == frame["text"].n_unique()
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=random.randrange(1000))
    rest = shuffled.head(frame.height - 1)
    expected = {name: part & set(rest["id"]) for name, part in parts.items()}
    assert parts_of(rest, seed=seed) == expected


def test_near_duplicates_are_in_one_part() -> None:
    rng = np.random.default_rng(0)
    words = [f"w{n}" for n in range(2_000)]
    rows = []
    for question in range(200):
        shared = " ".join(rng.choice(words, 13))
        for version in range(3):  # other words before and after, other case and punctuation
            before, after = " ".join(rng.choice(words, 5)), " ".join(rng.choice(words, 9))
            same = shared.upper().replace(" ", ", ") if version else shared
            rows.append((f"{question}/{version}", f"{before} {same} {after}"))
    frame = pl.DataFrame(rows, schema=["id", "text"], orient="row")
    parts = parts_of(frame, seed=3)
    questions = [{id_.split("/")[0] for id_ in part} for part in parts.values()]
    assert sum(map(len, questions)) == 200
    assert min(map(len, questions)) > 40


def test_split_keeps_the_shares_and_turns_with_the_seed() -> None:
    frame = pl.DataFrame({"id": [str(i) for i in range(20_000)]}).with_columns(text=pl.col("id"))
    sides = []
    for seed in range(3):
        parts = parts_of(frame, fit_share=0.3, proof_share=0.4, seed=seed)
        for part, share in (("fit", 0.3), ("search", 0.42), ("proof", 0.28)):
            # Four standard deviations of a binomial share.
            off = abs(len(parts[part]) / frame.height - share)
            assert off < 4 * (share * (1 - share) / frame.height) ** 0.5
        sides.append(parts["fit"])
    assert abs(len(sides[0] & sides[1]) / frame.height - 0.09) < 0.01  # independent
    assert not parts_of(frame, fit_share=0.0, seed=0)["fit"]
    # Criteria's part does not depend on how the others are shared out.
    assert parts_of(frame, fit_share=0.3, proof_share=0.9, seed=0)["fit"] == sides[0]


def test_splits_that_make_no_sense() -> None:
    frame = pl.DataFrame({"id": ["a", "b"], "text": ["same", "same"]})
    with pytest.raises(ValueError, match=r"2 documents \(1 different ones, .* into the parts"):
        split_target_set(frame, fit_share=0.5, proof_share=0.5, seed=0)
    for shares in ((1.5, 0.5), (0.5, 1.5)):
        with pytest.raises(ValueError, match=r"share is 1\.5"):
            split_target_set(frame, fit_share=shares[0], proof_share=shares[1], seed=0)


@needs_corpus
@pytest.mark.parametrize("path", sorted((CORPUS / "targets").glob("*.jsonl")), ids=lambda p: p.stem)
def test_real_target_sets(path: Path) -> None:
    documents = read_target_set(UPath(path), name=path.stem)
    assert documents.height == path.read_bytes().count(b"\n")
    assert documents["text"][0] == json.loads(path.open().readline())["text"]
