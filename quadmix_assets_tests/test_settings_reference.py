"""The reference of the settings: complete, current, and a schema that accepts the profiles."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from quadmix_assets.cli import main
from quadmix_assets.features.criteria.registry import CRITERIA
from quadmix_assets.features.domains.registry import DOMAIN_CLASSIFIERS
from quadmix_assets.settings import PROFILES_FOLDER
from quadmix_assets.settings.reference import reference_files, sections, settings_schema
from quadmix_assets.settings.reference_types import default_text, type_text
from quadmix_assets_tests.features import toy_criterion

DOCS = Path(__file__).parents[1] / "docs"


def test_every_key_has_a_description() -> None:
    undescribed = [
        f"{section.path} {section.kind} {key}".strip()
        for section in sections(settings_schema())
        for key, value in section.keys.items()
        if not value.get("description")
    ]
    assert undescribed == []


def test_every_section_and_kind_has_a_text() -> None:
    assert [s.path for s in sections(settings_schema()) if not s.text] == []


def test_all_kinds_are_there() -> None:
    found = [(section.path, section.kind) for section in sections(settings_schema())]
    assert [kind for path, kind in found if path == "features.criteria[]"] == [*CRITERIA.kinds]
    kinds = [kind for path, kind in found if path == "features.domains"]
    assert kinds == [*DOMAIN_CLASSIFIERS.kinds]
    assert ("search.constraints.domains.<name>", "") in found
    assert ("targets[]", "") in found


def test_new_kind_is_in_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CRITERIA.entries, "vowel_share", toy_criterion.ENTRY)
    page = reference_files()["settings.md"]
    assert "#### kind: `vowel_share`\n\nThe share of vowels among the characters" in page
    assert '| `vowels` | text | `"aeiou"` | the characters that count |' in page


@pytest.mark.parametrize("name", ["settings.md", "settings.schema.json"])
def test_reference_is_current(name: str) -> None:
    current = (DOCS / name).read_text(encoding="utf-8")
    assert current == reference_files()[name], f"docs/{name} is out of date: run `quadmix settings`"


def test_command_writes_the_reference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", str(tmp_path / "new")]) == 0
    written = {path.name: path.read_text() for path in (tmp_path / "new").iterdir()}
    assert written == reference_files()
    assert str(tmp_path / "new" / "settings.md") in capsys.readouterr().out


def test_references_inside_the_schema_lead_somewhere() -> None:
    schema = json.loads(reference_files()["settings.schema.json"])
    references = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            references.update([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(schema)
    assert references
    assert references <= {f"#/$defs/{name}" for name in schema["$defs"]}


@pytest.mark.parametrize("profile", ["demo", "laptop", "evidence", "paper"])
def test_profiles_hold_the_keys_of_the_schema(profile: str) -> None:
    schema = settings_schema()
    path = PROFILES_FOLDER / f"{profile}.yaml"
    values = yaml.safe_load(path.read_text())
    assert set(schema["required"]) <= set(values) <= set(schema["properties"])
    assert not {"profile", "root"} & set(schema["properties"])


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1}, "whole number, at least 1"),
        ({"type": "number", "minimum": 0.0, "maximum": 1.0}, "number, 0 to 1"),
        ({"type": "number", "exclusiveMinimum": 0.0, "exclusiveMaximum": 0.5},
         "number, above 0, below 0.5"),
        ({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
         "whole number, at least 1, or null"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text or null"),
        ({"type": "array", "items": {"$ref": "#/$defs/X"}}, "list of sections"),
        ({"type": "object", "additionalProperties": {"type": "number"}},
         "mapping of names to numbers"),
        ({"enum": ["a", "b"], "type": "string"}, "`a` · `b`"),
        ({"oneOf": [{"properties": {}}]}, "a kind"),
    ],
)  # fmt: skip
def test_types_in_words(schema: dict[str, Any], words: str) -> None:
    assert type_text(schema) == words


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, ""),
        ({"default": None}, "`null`"),
        ({"default": 1 / 3}, "`0.333333`"),
        ({"default": "x"}, '`"x"`'),
        ({"default": ["a" * 30] * 4}, f'`"{"a" * 30}"` and 3 more'),
        ({"$ref": "#/$defs/X", "default": {"n": 1}}, ""),
    ],
)
def test_defaults_in_words(schema: dict[str, Any], words: str) -> None:
    assert default_text(schema) == words
