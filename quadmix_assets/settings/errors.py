"""Turns a validation error into lines that name the key, its value and what is allowed."""

import difflib
import typing
from typing import Any

from pydantic import BaseModel, ValidationError


class SettingsError(ValueError):
    """The settings cannot be used; the message says which key, its value and what is allowed."""


def describe_validation_error(error: ValidationError, file: str, model: type[BaseModel]) -> str:
    """One line per wrong key of `file`, which was validated as `model`."""
    # A default that follows another key is not made where that section has an error of its own.
    problems = [p for p in error.errors() if p["type"] != "default_factory_not_called"]
    lines = [f"{file}: {len(problems)} setting(s) cannot be used:"]
    for problem in problems:
        key = _key(problem["loc"])
        if problem["type"] == "extra_forbidden":
            allowed = _fields_beside(model, problem["loc"])
            near = difflib.get_close_matches(str(problem["loc"][-1]), allowed, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            expected = f"unknown key; {hint}allowed here: {', '.join(allowed)}"
        elif problem["type"] == "missing":
            expected = "is missing, and has no default"
        elif problem["type"] == "value_error":
            expected = str(problem.get("ctx", {}).get("error", problem["msg"]))
        else:
            expected = f"got {problem['input']!r}: {problem['msg']}"
        lines.append(f"  {key}: {expected}" if key else f"  {expected}")
    return "\n".join(lines)


def _key(location: tuple[int | str, ...]) -> str:
    key = ""
    for part in location:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else part
    return key


def _fields_beside(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The fields of the section that holds the last part of `location`."""
    candidates: list[type[BaseModel]] = [model]
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        inner = [
            found
            for candidate in candidates
            if part in candidate.model_fields
            for found in _models_in(candidate.model_fields[part].annotation)
        ]
        tagged = [
            candidate
            for candidate in candidates
            if "kind" in candidate.model_fields
            and part in typing.get_args(candidate.model_fields["kind"].annotation)
        ]
        candidates = tagged or inner or candidates
    return sorted({field for candidate in candidates for field in candidate.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """All pydantic models inside a (nested) type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models_in(part)]
