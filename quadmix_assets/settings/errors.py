"""Describes validation errors: lines that name the key, its value and what is allowed."""

import difflib

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from quadmix_assets.registry import Registry
from quadmix_assets.settings.locations import redacted
from quadmix_assets.settings.places import Place, places_below


class SettingsError(ValueError):
    """The settings cannot be used; the message names the key, its value and what is allowed."""


def describe_validation_error(error: ValidationError, file: str, model: type[BaseModel]) -> str:
    """One line per wrong key of `file`, which was validated as `model`."""
    problems = [problem for problem in error.errors() if not _follows_from_another(problem, error)]
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
            expected = redacted(f"got {problem['input']!r}: {problem['msg']}")
        lines.append(f"  {key}: {expected}" if key else f"  {expected}")
    return "\n".join(lines)


def _follows_from_another(problem: ErrorDetails, error: ValidationError) -> bool:
    """Whether an error is only a consequence of errors in other keys."""
    if problem["type"] == "default_factory_not_called":
        return True  # a default that depends on another key, in a section with another error
    key = problem["loc"]
    return problem["type"] == "too_short" and any(
        other["loc"][: len(key)] == key and len(other["loc"]) > len(key) for other in error.errors()
    )


def _key(location: tuple[int | str, ...]) -> str:
    key = ""
    for part in location:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else part
    return key


def _fields_beside(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The fields of the section that holds the last part of `location`."""
    places: list[Place] = [model]
    for part in location[:-1]:
        # A part that leads nowhere is an index of a list, or a key that the user has chosen.
        places = [found for place in places for found in places_below(place, part)] or places
    sections = [place for place in places if not isinstance(place, Registry)]
    return sorted({field for section in sections for field in section.model_fields})
