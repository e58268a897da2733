"""Describes the types and defaults of keys in words, from their JSON schema."""

import json
from collections.abc import Mapping
from typing import Any

_LONGEST_DEFAULT = 60
_NAMES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}


def type_text(schema: Mapping[str, Any]) -> str:
    """What a key takes, for example "whole number, at least 1, or null"."""
    if "$ref" in schema or "properties" in schema:
        return "section"
    if "oneOf" in schema:
        return "a kind"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " \u00b7 ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        *first, last = (type_text(part) for part in schema["anyOf"])
        comma = "," if any("," in part for part in first) else ""
        return f"{' or '.join(first)}{comma} or {last}"
    if schema["type"] == "array":
        return f"list of {_several(schema['items'])}"
    if schema["type"] == "object":
        return f"mapping of names to {_several(mapping_values(schema))}"
    if schema.get("pattern", "").startswith("^[A-Za-z]["):
        return "name"
    return _NAMES[schema["type"]] + _limits(schema)


def mapping_values(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a mapping's values; empty for anything but a mapping."""
    if "patternProperties" in schema:
        (values,) = schema["patternProperties"].values()
    else:
        values = schema.get("additionalProperties")
    return values if isinstance(values, Mapping) else {}


def default_text(schema: Mapping[str, Any]) -> str:
    """The default of a key; empty for sections, and where only the description states it."""
    if "$ref" in schema or "oneOf" in schema or "default" not in schema:
        return ""
    value = schema["default"]
    if isinstance(value, float):
        return f"`{value:.6g}`"
    text = json.dumps(value, ensure_ascii=False)
    if len(text) > _LONGEST_DEFAULT and isinstance(value, list):
        return f"`{json.dumps(value[0])}` and {len(value) - 1} more"
    return f"`{text}`"


def _several(schema: Mapping[str, Any]) -> str:
    found = type_text(schema)
    plural = {"text": "texts", "name": "names", "section": "sections", "a kind": "kinds"}
    return plural.get(found, found.replace("number", "numbers", 1))


def _limits(schema: Mapping[str, Any]) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f", {schema['minimum']:,} to {schema['maximum']:,}".replace(".0", "")
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    return "".join(f", {word} {schema[key]:g}" for key, word in words.items() if key in schema)
