from dataclasses import replace

import numpy as np
import pytest

from quadmix_assets.corpus.find_document import Place, QuarantinedRow
from quadmix_assets.corpus.set_aside import Kind, SetAside
from quadmix_assets.mix.explain_page import (
    curve_of,
    explanation_blocks,
    one_line,
    shown_in_full,
)
from quadmix_assets.mix.explain_plot import plot_place
from quadmix_assets.mix.explanation import ExplainedDocument, InMix, Known, UnknownDocument
from quadmix_assets.mix.rule import Curve, Why
from quadmix_assets.report.blocks import blocks_markdown, blocks_text

KNOWN = Known(
    document_id="doc-7",
    place=Place("a.jsonl", 4, 1_200),
    excerpt="A heading\n![x](https://tracker.example/x.png)",
    source="web",
    n_bytes=1_234,
    n_tokens=300,
    scores={"worth": 1.5, "depth": -2.0},
    domain="law",
    confidence=0.75,
    quarantined=(),
    problem="",
)
X = np.linspace(0.0, 1.0, 101)
WHY = Why(
    because="its rank 0.4000 is within omega 0.6000",
    short="rank 0.4000 within omega 0.6000",
    would_flip=("a draw of 0.31 or more", "a rank beyond 0.6"),
    curve=Curve(X, np.where(X <= 0.6, 1.5, 0.0), "rank within the domain", 0.4),
    numbers={"omega": 0.6},
)
MINE = InMix(
    mix="mine",
    method="quadmix",
    is_production=True,
    copies=2,
    sampling_value=1.5,
    merged_score=0.35,
    rank=0.4,
    sigma={"worth": 0.25, "depth": 0.5},
    weights={"worth": 0.6, "depth": 0.4},
    why=WHY,
    stored_copies=2,
)
OTHER = InMix(mix="other", method="random", is_production=False, problem="materialise it first")


def text_of(*mixes: InMix, known: Known = KNOWN) -> str:
    return blocks_text(explanation_blocks(ExplainedDocument(known, mixes)))


def test_the_terminal_shows_everything_that_decided() -> None:
    text = text_of(MINE)
    for words in (
        "document doc-7",
        "shard a.jsonl, row 5 of its 1,200 documents",
        "domain law with confidence 0.75",
        "| A heading",
        "mix mine (quadmix, in production): 2 times",
        "its rank 0.4000 is within omega 0.6000",
        "what would change it",
        "a rank beyond 0.6",
    ):
        assert words in text
    (worth,) = (line.split() for line in text.splitlines() if line.strip().startswith("worth"))
    assert worth == ["worth", "1.5", "0.25", "0.6", "0.15"]


def test_all_mixes_are_in_one_table_and_production_in_full() -> None:
    explanation = ExplainedDocument(KNOWN, (OTHER, MINE))
    assert shown_in_full(explanation) is MINE
    text = blocks_text(explanation_blocks(explanation))
    assert "mine (production)" in text
    assert "materialise it first" in text
    assert text.index("in all mixes") < text.index("mix mine (quadmix, in production)")
    only_others = ExplainedDocument(KNOWN, (OTHER, replace(OTHER, mix="third")))
    assert shown_in_full(only_others) is None
    assert "in all mixes" in blocks_text(explanation_blocks(only_others))


@pytest.mark.parametrize(
    ("mix", "words"),
    [
        (replace(MINE, copies=0), "not in it"),
        (replace(MINE, copies=1), "once"),
        (replace(MINE, copies=0, survivor="doc-1"), "left out as a near-duplicate"),
        (OTHER, "cannot be decided"),
    ],
)
def test_one_line_says_how_often(mix: InMix, words: str) -> None:
    assert one_line(mix) == words


def test_mixes_that_are_behind_or_not_made_say_what_to_do() -> None:
    behind = " ".join(text_of(replace(MINE, stored_copies=0)).split())
    assert "has it 0 times" in behind
    assert "materialise mixes/mine/final_mix of its shard" in behind
    assert "its shard is not mixed yet" in text_of(replace(MINE, stored_copies=None))
    kept = replace(MINE, stands_for=("doc-2", "doc-3"), n_stands_for=7)
    assert "in place of its near-duplicates doc-2, doc-3 and 5 more" in text_of(kept)
    assert "near-duplicate of doc-1" in text_of(replace(MINE, copies=0, survivor="doc-1"))


def test_what_is_not_scored_says_so() -> None:
    fresh = replace(KNOWN, scores={}, domain=None, n_tokens=None, problem="score it first")
    assert "score it first" in text_of(OTHER, known=fresh)


def test_markdown_loads_and_marks_up_nothing_of_a_document() -> None:
    hostile = replace(KNOWN, document_id="<img src=x>", source="![s](https://t.example/s.png)")
    shown = blocks_markdown(explanation_blocks(ExplainedDocument(hostile, (MINE,))))
    outside = "".join(shown.split("```")[::2])
    assert "![s]" not in outside
    assert "https://t" not in outside
    assert "<img" not in outside.replace("\\<img", "")
    assert "A heading" in shown.split("```")[1]


def test_unknown_ids_name_quarantine_shards_and_neighbours() -> None:
    row = QuarantinedRow("b", 12, "empty_text", "no letters", "??")
    unknown = UnknownDocument("doc-8", (row,), {}, ())
    text = blocks_text(explanation_blocks(unknown))
    assert "its row is in quarantine" in text
    assert "empty_text" in text
    apart = {f"s{n}": SetAside(Kind.UNREADABLE, f"reason {n}") for n in range(8)}
    text = blocks_text(explanation_blocks(UnknownDocument("doc-9", (), apart, ("doc-7", "doc-6"))))
    assert "no id of a document" in text
    assert "doc-7" in text
    assert "reason 4" in text
    assert "reason 5" not in text
    assert "3 further shards" in text


def test_the_plot_marks_the_place_on_the_curve() -> None:
    curve = curve_of(MINE)
    assert curve is not None
    axes = plot_place(MINE, curve).axes[0]
    lines = {str(line.get_label()): np.asarray(line.get_xydata()) for line in axes.get_lines()}
    assert lines["this document, at 0.4"].tolist() == [[0.4, 1.5]]
    assert lines["expected copies S"].tolist() == np.column_stack([X, curve.value]).tolist()
    assert axes.get_title() == "mine: 2 times"
    assert curve_of(OTHER) is None
    assert curve_of(None) is None
