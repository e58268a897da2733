import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.store.json_text import json_text

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), values), st.lists(values) | st.dictionaries(st.text(), values))
def test_lines_change_nothing_but_the_layout(rest: dict[str, Any], items: Any) -> None:
    value = {**rest, "items": items}
    text = json_text(value, lines_of="items")
    assert json.loads(text) == value
    assert text.endswith("}\n")
    assert json_text(dict(reversed(value.items())), lines_of="items") == text


def test_every_item_has_a_line() -> None:
    text = json_text({"a": 1, "shards": {"y": {"n": [1, 2]}, "x": {}}}, lines_of="shards")
    assert text.splitlines() == [
        "{",
        '  "a": 1,',
        '  "shards": {',
        '    "x": {},',
        '    "y": {"n":[1,2]}',
        "  }",
        "}",
    ]


def test_numbers_that_json_has_not() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text({"items": [math.nan]}, lines_of="items")


@pytest.mark.parametrize("item", [2**70, {1: "key"}, "\ud800", None, {"é": 1e22}])
def test_lines_hold_what_json_holds(item: Any) -> None:
    expected = json.loads(json.dumps({"items": [item]}))
    assert json.loads(json_text({"items": [item]}, lines_of="items")) == expected
