from typing import Any

import pytest

from quadmix_assets.mix.summary import domain_table, unmet_constraints
from quadmix_assets.settings import ConstraintsSettings


def test_shares_are_of_all_tokens_before_and_after() -> None:
    table = domain_table(
        {
            "domains": ["law", "cooking", "unknown"],
            "n_tokens_in_per_domain": [600, 300, 100],
            "n_tokens_out_per_domain": [50, 150, 0],
        }
    )
    assert table["domain"].to_list() == ["law", "cooking", "unknown"]
    assert table["n_tokens_in"].to_list() == [600, 300, 100]
    assert table["n_tokens_out"].to_list() == [50, 150, 0]
    assert table["share_in"].to_list() == [0.6, 0.3, 0.1]
    assert table["share_out"].to_list() == [0.25, 0.75, 0.0]


def test_empty_mix_has_shares_of_nothing() -> None:
    table = domain_table(
        {"domains": ["law"], "n_tokens_in_per_domain": [0], "n_tokens_out_per_domain": [0]}
    )
    assert table.rows() == [("law", 0, 0, 0.0, 0.0)]


MANIFEST = {
    "domains": ["law", "cooking", "news", "unknown"],
    "n_tokens_in_per_domain": [600, 300, 1000, 100],
    "n_tokens_out_per_domain": [300, 450, 250, 0],
    "totals": {"n_tokens_out": 1000, "max_copies": 3},
}


@pytest.mark.parametrize(
    ("asked", "messages"),
    [
        ({}, []),
        ({"mix_tokens": 1005, "max_copies": 2.5, "max_epochs": 1.5}, []),
        ({"domains": {"law": {"share": 0.295}, "news": {"max_share": 0.25}}}, []),
        ({"domains": {"unknown": {"off": True}, "cooking": {"min_share": 0.4}}}, []),
        ({"mix_tokens": 900}, ["1,000 tokens, +11.1% off the 900 that were asked for"]),
        ({"max_copies": 2}, ["taken 3 times, max_copies is 2"]),
        ({"max_epochs": 1.2}, ["cooking is taken for 1.500 epochs, max_epochs is 1.2"]),
        (
            {"max_epochs": 0.4, "domains": {"cooking": {"max_epochs": 1.5}}},
            ["law is taken for 0.500 epochs, max_epochs is 0.4"],
        ),
        (
            {"domains": {"law": {"share": 0.2}, "news": {"min_share": 0.3, "max_share": 0.5}}},
            [
                "law has 30.0% of the mix's tokens, 20.0% were asked",
                "news has 25.0%",
                "30.0% to 50",
            ],
        ),
        ({"domains": {"news": {"off": True}}}, ["news has 25.0% of the mix's tokens, 0.0% were"]),
    ],
)
def test_what_was_asked_for_and_not_met_is_said(asked: dict[str, Any], messages: list[str]) -> None:
    manifest = {**MANIFEST, "tokens": asked.get("mix_tokens")}
    found = unmet_constraints(manifest, ConstraintsSettings.model_validate(asked))
    assert bool(found) == bool(messages)
    text = "; ".join(found)
    for message in messages:
        assert message in text


def test_budget_is_the_one_that_the_mix_was_made_with() -> None:
    asked = ConstraintsSettings.model_validate({"mix_tokens": 400})
    assert unmet_constraints({**MANIFEST, "tokens": 1000}, asked) == []
    (found,) = unmet_constraints({**MANIFEST, "tokens": 800}, asked)
    assert "+25.0% off the 800" in found
