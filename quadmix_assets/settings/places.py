"""Walks the tree of the settings: the sections and registries below a field."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from quadmix_assets.registry import Registry

Place = type[BaseModel] | Registry
"""A section of the settings, or a registry, each of whose kinds is a section."""


def places_of(field: FieldInfo) -> list[Place]:
    """The sections and registries that a field holds, alone or in lists, mappings and unions."""
    registries = [entry for entry in field.metadata if isinstance(entry, Registry)]
    return [*registries] if registries else list(_inside(field.annotation))


def places_below(place: Place, part: int | str) -> list[Place]:
    """The places that `part` names: a field of a section, or a kind of a registry."""
    if isinstance(place, Registry):
        return [place.settings_class(part)] if isinstance(part, str) and part in place.kinds else []
    field = place.model_fields.get(str(part))
    return [] if field is None else places_of(field)


def _inside(annotation: Any) -> Iterator[Place]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    # In Annotated[section, registry] the section is only the base class of the registry's kinds.
    parts = get_args(annotation)
    registries = [part for part in parts if isinstance(part, Registry)]
    for part in parts:
        if isinstance(part, Registry):
            yield part
        elif not registries:
            yield from _inside(part)
