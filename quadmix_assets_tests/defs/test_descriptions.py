"""What the page of every asset says, whichever asset is added."""

import pytest
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from quadmix_assets.definitions import defs


@pytest.fixture(scope="module")
def graph() -> AssetGraph:
    return defs().resolve_asset_graph()


def test_every_asset_has_a_sentence_and_a_paragraph(graph: AssetGraph) -> None:
    for key in graph.get_all_asset_keys():
        sentence, _, paragraph = (graph.get(key).description or "").partition("\n\n")
        assert 20 < len(sentence) < 120, f"{key}: {sentence}"
        assert "\n" not in sentence and sentence.endswith("."), f"{key}: {sentence}"
        assert len(paragraph) > 100, f"{key} says neither what it holds nor what to do with it"


def test_every_asset_has_an_owner_and_kinds(graph: AssetGraph) -> None:
    for key in graph.get_all_asset_keys():
        assert graph.get(key).owners, key
        assert graph.get(key).kinds, key
        assert graph.get(key).group_name != "default", key


def test_every_check_says_what_it_checks(graph: AssetGraph) -> None:
    for key in graph.asset_check_keys:
        assert len(graph.get_check_spec(key).description or "") > 30, key
