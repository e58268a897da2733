import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.corpus.readers.errors import Reason, RowError
from quadmix_assets.corpus.readers.values import carried_value, id_of


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", "a"),
        (" a ", " a "),
        (7, "7"),
        (-7, "-7"),
        (2**64 - 1, "18446744073709551615"),
        (3.0, "3"),
        (Decimal(12), "12"),
        (b"caf\xc3\xa9", "café"),
        (None, None),
        (math.nan, None),
    ],
)
def test_ids(value: Any, expected: str | None) -> None:
    assert id_of(value) == expected


@pytest.mark.parametrize("value", ["", "  ", True, [], {}, 1.5, 1e29, math.inf, b"\xff"])
def test_bad_ids(value: Any) -> None:
    with pytest.raises(RowError) as raised:
        id_of(value)
    assert raised.value.reason == Reason.BAD_ID


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("string", "x", "x"),
        ("string", 3, "3"),
        ("string", 0.5, "0.5"),
        ("string", True, "true"),
        ("int", 3, 3),
        ("int", 3.0, 3),
        ("int", "-12", -12),
        ("float", 3, 3.0),
        ("float", "1e-3", 0.001),
        ("float", Decimal("0.25"), 0.25),
        ("bool", False, False),
        ("bool", "True", True),
        ("bool", 0, False),
        *((kind, None, None) for kind in ("string", "int", "float", "bool")),
    ],
)
def test_carried_values(kind: str, value: Any, expected: Any) -> None:
    converted = carried_value(value, kind, "c")
    assert converted == expected and type(converted) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("string", ["a"]),
        ("string", {"a": 1}),
        ("string", b"\xff"),
        ("int", 1.5),
        ("int", "1.5"),
        ("int", True),
        ("int", 2**63),
        ("int", math.nan),
        ("int", math.inf),
        ("float", "high"),
        ("float", True),
        ("float", []),
        ("bool", 2),
        ("bool", "yes"),
        ("bool", []),
    ],
)
def test_bad_carried_values(kind: str, value: Any) -> None:
    with pytest.raises(RowError, match=f"column 'c': expected {kind}") as raised:
        carried_value(value, kind, "c")
    assert raised.value.reason == Reason.BAD_CARRIED_VALUE


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=5,
)


@given(json_values, st.sampled_from(["string", "int", "float", "bool"]))
def test_nothing_but_row_errors(value: Any, kind: str) -> None:
    types = {"string": str, "int": int, "float": float, "bool": bool}
    for convert, wanted in (
        (lambda: id_of(value), str),
        (lambda: carried_value(value, kind, "c"), types[kind]),
    ):
        try:
            converted = convert()
        except RowError:
            continue
        assert converted is None or type(converted) is wanted
