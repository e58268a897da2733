"""JSON that holds a hash of itself, so that a changed bit in it is noticed."""

import json
from collections.abc import Mapping
from typing import Any

from quadmix_assets.hashing import hash_bytes

_HASH = "hash_of_the_rest"


def sealed_json(value: Mapping[str, Any]) -> bytes:
    """The bytes of a JSON object with a hash of itself; equal objects give equal bytes."""
    content = json.dumps(value, sort_keys=True).encode()
    return json.dumps({**value, _HASH: hash_bytes(content)}, sort_keys=True).encode() + b"\n"


def unsealed_json(content: bytes) -> dict[str, Any]:
    """The object that `sealed_json` wrote.

    Raises:
        ValueError: a byte of it has changed.
    """
    try:
        value = json.loads(content)
        value.pop(_HASH)
        is_whole = sealed_json(value) == content
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        is_whole = False
    if not is_whole:
        raise ValueError("it is not what was written")
    return dict(value)
