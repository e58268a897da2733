"""Registries, which find the kinds of a family (criteria, regressors, ...) by their names.

A kind is one module, which holds its settings class and its implementation, and one line in the
registry of its family. Modules are imported when their kind is first used, so that a profile
without neural scorers does not load their libraries.
"""

import contextlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema

_KNOWN_TYPES = set(get_args(core_schema.ErrorType))


@dataclass(frozen=True, eq=False)
class Registry:
    """The kinds of one family.

    As metadata of a field, `Annotated[Base, REGISTRY]`, it validates a mapping with the key `key`
    as the settings class of that kind. A kind without required options may be given by its name
    alone.

    Attributes:
        family: what a kind is, for error messages: "criterion", "regressor".
        entries: `module:class` of the settings class of each kind; it has a field named `key`.
        key: what says of which kind a mapping is.
    """

    family: str
    entries: Mapping[str, str]
    key: str = "kind"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The names of all kinds, in the order of the registry."""
        return tuple(self.entries)

    def settings_class(self, kind: str) -> type[BaseModel]:
        """The settings class of a kind.

        Raises:
            KeyError: there is no such kind.
        """
        found: type[BaseModel] = load_entry(self.entries[kind])
        return found

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Validate by kind, and serialise as the class that was found."""
        return core_schema.no_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(_dump, info_arg=True),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """One alternative per kind, and one for the names of kinds without required options."""
        classes = {kind: self.settings_class(kind) for kind in self.kinds}
        by_name = [
            kind
            for kind, found in classes.items()
            if all(
                not field.is_required()
                for name, field in found.model_fields.items()
                if name != self.key
            )
        ]
        sections = [handler(found.__pydantic_core_schema__) for found in classes.values()]
        return {"oneOf": [*sections, *([{"enum": by_name}] if by_name else [])]}

    def _validate(self, value: Any) -> BaseModel:
        if isinstance(value, BaseModel):
            return value
        if isinstance(value, str):
            value = {self.key: value}
        if not isinstance(value, Mapping):
            raise PydanticCustomError(
                "value_error",
                "expected the name of a {family}, or a mapping with a key '{key}'",
                {"family": self.family, "key": self.key},
            )
        if self.key not in value:
            raise _line_error(self.family, {"type": "missing", "loc": (self.key,), "input": value})
        kind = value[self.key]
        if not isinstance(kind, str) or kind not in self.entries:
            unknown = PydanticCustomError(
                "unknown_kind",
                "there is no {family} of that kind; there are: {kinds}",
                {"family": self.family, "kinds": ", ".join(self.kinds)},
            )
            raise _line_error(self.family, {"type": unknown, "loc": (self.key,), "input": kind})
        try:
            found = self.settings_class(kind)
            return found.model_validate(_with_containers_parsed(found, value))
        except ValidationError as error:
            # The kind is part of the location, as in pydantic's errors of tagged unions.
            raise ValidationError.from_exception_data(
                error.title,
                [_with_location(problem, (kind, *problem["loc"])) for problem in error.errors()],
            ) from None


@cache
def load_entry(entry: str) -> Any:
    """The object that an entry of a registry names as `module:object`."""
    module, name = entry.split(":")
    return getattr(importlib.import_module(module), name)


def _with_containers_parsed(section: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with strings parsed as JSON where the field is a list or a mapping.

    Environment variables are strings, and where they are read it is not known which kind a variable
    belongs to, and so not whether it is a list.
    """
    parsed = dict(values)
    for name, value in values.items():
        field = section.model_fields.get(name)
        if isinstance(value, str) and field is not None and _holds_container(field.annotation):
            with contextlib.suppress(json.JSONDecodeError):
                parsed[name] = json.loads(value)
    return parsed


def _holds_container(annotation: Any) -> bool:
    if get_origin(annotation) in (list, tuple, dict):
        return True
    return get_origin(annotation) is not Literal and any(
        map(_holds_container, get_args(annotation))
    )


def _dump(value: BaseModel, info: core_schema.SerializationInfo) -> dict[str, Any]:
    return value.model_dump(mode=info.mode)


def _line_error(title: str, problem: InitErrorDetails) -> ValidationError:
    return ValidationError.from_exception_data(title, [problem])


def _with_location(problem: Any, location: tuple[int | str, ...]) -> InitErrorDetails:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind not in _KNOWN_TYPES or kind == "value_error":
        # pydantic restores its own errors from their type and context, but not custom ones.
        kind = PydanticCustomError(kind, problem["msg"], context)
    return {"type": kind, "loc": location, "input": problem["input"], "ctx": context}
