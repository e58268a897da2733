"""The reference of all settings, made from their classes: a page, and a schema for editors."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from quadmix_assets.settings.reference_types import default_text, mapping_values, type_text
from quadmix_assets.settings.root import Settings

MARKDOWN_FILE = "settings.md"
SCHEMA_FILE = "settings.schema.json"
# A profile cannot set these: loading gives them.
_SET_BY_LOADING = ("profile", "root")

_INTRODUCTION = """\
# Settings

*This page is made by `quadmix settings` from the settings classes; edit those, not the page.*

A profile is one YAML file. `quadmix --profile NAME` reads one of the package \
(`quadmix_assets/profiles/NAME.yaml`), or a file at any path; the environment variable \
`QUADMIX_PROFILE` does the same for Dagster's own commands. Relative paths in a profile of your \
own start at its folder, or at the folder above if that folder is called `profiles`; in a profile \
of the package they start at the checkout, or, where the package is installed without one, at the \
current working directory. \
Unknown keys and wrong values are refused, all at once, with the key, the value and what is \
allowed. `quadmix check` looks at the settings and the inputs they name before any work.

A single key can be overridden from the environment: `QUADMIX_` and the path of the key, levels \
joined by two underscores, as in `QUADMIX_CORPUS__RAW=s3://bucket/pool`. No other variable is \
read, but those of the storage clients (credentials).

Editors complete and check a profile with the schema [settings.schema.json](settings.schema.json), \
for example through this first line:

```yaml
# yaml-language-server: $schema=../docs/settings.schema.json
```

Where a key takes one of several kinds, it is a mapping with the key `kind` and the kind's own \
keys; the name of the kind alone stands for its defaults, if it has all of them.

"""

_CLOSING = """\
## Rows that cannot be used

No row is lost: what cannot be used is listed in `raw_shards_quarantine/<shard>.parquet` with its \
row (from 1) and one of these reasons: `broken_json`, `not_an_object`, `missing_text`, \
`wrong_type`, `empty_text`, `invalid_utf8`, `too_large`, `duplicate_key`, `blank_line`, `bad_id`, \
`bad_carried_value`.
"""


@dataclass(frozen=True)
class SectionReference:
    """One section of the settings, or one kind of a section that has several.

    Attributes:
        path: where it stands in a profile, as `features.inference`; "" for the profile itself.
        kind: the kind whose keys these are; "" where there is one kind only.
        text: what the section is for.
        keys: by name, the JSON schema of each key.
        required: names of the keys without a default.
    """

    path: str
    kind: str
    text: str
    keys: Mapping[str, Any]
    required: frozenset[str]


def reference_files() -> dict[str, str]:
    """The contents of the reference by file name: the page and the schema."""
    schema = settings_schema()
    return {
        MARKDOWN_FILE: _markdown(schema),
        SCHEMA_FILE: json.dumps(schema, indent=2, ensure_ascii=False) + "\n",
    }


def settings_schema() -> dict[str, Any]:
    """The JSON schema of a profile."""
    schema = Settings.model_json_schema()
    schema["properties"] = {
        key: value for key, value in schema["properties"].items() if key not in _SET_BY_LOADING
    }
    schema["required"] = [key for key in schema["required"] if key not in _SET_BY_LOADING]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def sections(schema: Mapping[str, Any]) -> Iterator[SectionReference]:
    """All sections of the settings, outer ones before those inside them.

    Args:
        schema: as `settings_schema` gives it.
    """
    return _sections("", schema, schema.get("$defs", {}))


def _sections(
    path: str, schema: Mapping[str, Any], definitions: Mapping[str, Any]
) -> Iterator[SectionReference]:
    keys = schema["properties"]
    kind = keys.get("kind", {}).get("const", "")
    # Of a kind, the kind itself is no choice.
    keys = {name: value for name, value in keys.items() if not (kind and name == "kind")}
    required = frozenset(schema.get("required", ()))
    yield SectionReference(path, kind, schema.get("description", ""), keys, required)
    for name, value in keys.items():
        below = f"{path}.{name}" if path else name
        for place, inner in _inside(below, value, definitions):
            yield from _sections(place, inner, definitions)


def _inside(
    path: str, schema: Mapping[str, Any], definitions: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The sections that a key holds: alone, in a list (`[]`), in a mapping (`.<name>`), kinds."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if "properties" in schema:
        yield path, schema
    for alternative in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _inside(path, alternative, definitions)
    if "items" in schema:
        yield from _inside(f"{path}[]", schema["items"], definitions)
    if values := mapping_values(schema):
        yield from _inside(f"{path}.<name>", values, definitions)


def _markdown(schema: Mapping[str, Any]) -> str:
    parts = [_INTRODUCTION]
    described = ""
    for section in sections(schema):
        level = 2 + section.path.replace(".<name>", "").count(".")
        if section.kind and section.path != described:
            parts.append(f"{'#' * level} `{section.path}`\n\nOne of these kinds.\n\n")
        described = section.path
        level += bool(section.kind)
        title = f"`{section.path}`" if section.path else "The profile itself"
        title = f"kind: `{section.kind}`" if section.kind else title
        parts.append(f"{'#' * level} {title}\n\n{section.text}\n\n{_table(section)}")
    return "".join(parts) + _CLOSING


def _table(section: SectionReference) -> str:
    if not section.keys:
        return "It has no keys of its own.\n\n"
    lines = ["| key | type | default | description |", "| --- | --- | --- | --- |"]
    for name, value in section.keys.items():
        default = "required" if name in section.required else default_text(value)
        cells = (f"`{name}`", type_text(value), default, value.get("description", ""))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n\n"
