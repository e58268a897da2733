"""The base class of all sections of the settings, and types that they share."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


def _path(location: str) -> str:
    """A path or URI, in which braces hold nothing but the word profile.

    Raises:
        ValueError: they hold something else, or the path has a character that no path has.
    """
    for found in re.findall(r"\{([^{}]*)\}", location):
        if found != "profile":
            raise ValueError(
                f"{location!r} holds {{{found}}}: in braces a path has {{profile}} alone, the "
                "profile's name"
            )
    if "\0" in location:
        raise ValueError(f"{location!r} holds a NUL character, which no path has")
    return location


Location = Annotated[str, AfterValidator(_path)]
"""A path or URI; `{profile}` stands for the profile's name."""
PositiveInt = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A section of the settings: immutable, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)
