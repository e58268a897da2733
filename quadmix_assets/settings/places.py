"""Walks the tree of the settings: what a field of a section holds."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from quadmix_assets.registry import Registry

Place = type[BaseModel] | Registry
"""A section of the settings, or a family of kinds of which a kind is a section."""


def places_of(field: FieldInfo) -> list[Place]:
    """The sections and registries that a field holds, alone or in lists, mappings and unions."""
    registries = [entry for entry in field.metadata if isinstance(entry, Registry)]
    return [*registries] if registries else list(_inside(field.annotation))


def places_below(place: Place, part: int | str) -> list[Place]:
    """Where a part of a key leads from a section (a field) or from a registry (a kind)."""
    if isinstance(place, Registry):
        return [place.settings_class(part)] if isinstance(part, str) and part in place.kinds else []
    field = place.model_fields.get(str(part))
    return [] if field is None else places_of(field)


def _inside(annotation: Any) -> Iterator[Place]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    # Of Annotated[section, registry] the registry says what there is.
    parts = get_args(annotation)
    registries = [part for part in parts if isinstance(part, Registry)]
    for part in parts:
        if isinstance(part, Registry):
            yield part
        elif not registries:
            yield from _inside(part)
