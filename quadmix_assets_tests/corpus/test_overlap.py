import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quadmix_assets.corpus.overlap import MIN_WORDS, N_WORDS, SCHEMA, TargetRuns


def frame(*texts: str, prefix: str = "t") -> pl.DataFrame:
    ids = [f"{prefix}{n}" for n in range(len(texts))]
    return pl.DataFrame(
        {"id": ids, "text": list(texts)}, schema=dict.fromkeys(["id", "text"], pl.String)
    )


def words(n: int, start: int = 0) -> str:
    return " ".join(f"w{k}" for k in range(start, start + n))


def found(targets: dict[str, pl.DataFrame], pool: pl.DataFrame) -> list[tuple[str, str, str, int]]:
    table = TargetRuns.of(targets).found_in(pool["id"], pool["text"])
    assert dict(table.schema) == SCHEMA
    return table.rows()


def brute_force(
    targets: dict[str, pl.DataFrame], pool: pl.DataFrame
) -> list[tuple[str, str, str, int]]:
    """Every run of every document against every other, as text."""

    def runs(text: str, n: int) -> set[tuple[str, ...]]:
        tokens = re.findall(r"\w+", text.lower())
        return {tuple(tokens[k : k + n]) for k in range(len(tokens) - n + 1)}

    rows = []
    for name, target in targets.items():
        for target_id, text in target.rows():
            n = min(len(re.findall(r"\w+", text)), N_WORDS)
            if n < MIN_WORDS:
                continue
            for id_, other in pool.rows():
                if shared := runs(text, n) & runs(other, n):
                    rows.append((name, target_id, id_, len(shared)))
    return rows


texts = st.lists(st.sampled_from(["a", "b", "C", "d,"]), min_size=0, max_size=30).map(" ".join)


@settings(max_examples=100, deadline=None)
@given(st.lists(texts, min_size=1, max_size=4), st.lists(texts, min_size=1, max_size=4),
       st.lists(texts, min_size=1, max_size=5))  # fmt: skip
def test_is_brute_force(one: list[str], two: list[str], pool: list[str]) -> None:
    targets = {"one": frame(*one), "two": frame(*two)}
    documents = frame(*pool, prefix="p")
    assert found(targets, documents) == brute_force(targets, documents)


def test_a_run_counts_across_case_and_punctuation_but_not_across_documents() -> None:
    target = {"t": frame(words(20))}
    loud = words(13, 3).upper().replace(" ", ", ")
    pool = frame("before " + loud + " after", words(12), words(6), words(14, 6), prefix="p")
    assert found(target, pool) == [("t", "t0", "p0", 1), ("t", "t0", "p3", 2)]


@pytest.mark.parametrize(("n", "counts"), [(7, False), (8, True), (12, True), (13, True)])
def test_short_texts_count_as_a_whole(n: int, counts: bool) -> None:
    targets = {"t": frame(words(n))}
    pool = frame("x " + words(n) + " y", words(n - 1), prefix="p")
    assert found(targets, pool) == ([("t", "t0", "p0", 1)] if counts else [])
    assert TargetRuns.of(targets).too_short == {"t": int(not counts)}


def test_texts_over_many_chunks_keep_their_ids() -> None:
    rng = np.random.default_rng(0)
    filler = [" ".join(rng.choice(list("abcdefgh"), 30_000)) for _ in range(60)]
    filler[41] += " " + words(13)
    pool = frame(*filler, prefix="p")
    assert found({"t": frame(words(13), "nothing")}, pool) == [("t", "t0", "p41", 1)]


def test_nothing_to_look_for_and_nothing_to_look_in() -> None:
    assert found({"t": frame("short")}, frame(words(20), prefix="p")) == []
    assert found({}, frame(words(20), prefix="p")) == []
    assert found({"t": frame(words(20))}, frame()) == []
