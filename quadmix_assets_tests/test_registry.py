"""Kinds found by name: what is validated, what is refused and how, and what is written back."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from quadmix_assets.registry import Registry


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Animal(_Section):
    name: str = "someone"


class DogSettings(Animal):
    kind: Literal["dog"]
    n_legs: Annotated[int, Field(ge=1)] = 4
    size: Literal["small", "large"] = "small"

    @model_validator(mode="after")
    def _not_seven(self) -> "DogSettings":
        if self.n_legs == 7:
            raise ValueError("n_legs is {7}: no dog has so many")
        return self


class CatSettings(Animal):
    kind: Literal["cat"]
    colour: str


ANIMALS = Registry(
    "animal",
    {"dog": f"{__name__}:DogSettings", "cat": f"{__name__}:CatSettings", "far": "no:where"},
)


class Zoo(_Section):
    all: tuple[Annotated[Animal, ANIMALS], ...] = ()
    first: Annotated[Animal, ANIMALS] = DogSettings(kind="dog")


def test_the_kind_decides_the_class() -> None:
    zoo = Zoo(all=[{"kind": "cat", "colour": "red"}, {"kind": "dog", "n_legs": 3}])  # type: ignore[arg-type]
    assert zoo.all == (CatSettings(kind="cat", colour="red"), DogSettings(kind="dog", n_legs=3))


def test_a_name_stands_for_a_kind_with_its_defaults() -> None:
    assert Zoo(first="dog").first == DogSettings(kind="dog")  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["python", "json"])
def test_what_is_dumped_is_read_again(mode: Any) -> None:
    zoo = Zoo(all=(CatSettings(kind="cat", colour="red"),))
    dumped = zoo.model_dump(mode=mode)
    assert dumped["all"][0] == {"kind": "cat", "name": "someone", "colour": "red"}
    assert Zoo(**dumped) == zoo


@pytest.mark.parametrize(
    ("value", "kind_of_error", "location", "words"),
    [
        ({"kind": "dog", "n_legs": 0}, "greater_than_equal", ("dog", "n_legs"), "equal to 1"),
        ({"kind": "dog", "size": "huge"}, "literal_error", ("dog", "size"), "'small' or 'large'"),
        ({"kind": "dog", "colour": "red"}, "extra_forbidden", ("dog", "colour"), "not permitted"),
        ({"kind": "dog", "n_legs": 7}, "value_error", ("dog",), "n_legs is {7}: no dog"),
        ({"kind": "cat"}, "missing", ("cat", "colour"), "required"),
        ({"kind": "cow"}, "unknown_kind", ("kind",), "no animal of that kind; there are: dog, cat"),
        ({"kind": ["dog"]}, "unknown_kind", ("kind",), "there are: dog, cat"),
        ({"n_legs": 4}, "missing", ("kind",), "required"),
        (7, "value_error", (), "the name of a animal, or a mapping"),
    ],
)
def test_errors_name_the_place_and_what_is_allowed(
    value: object, kind_of_error: str, location: tuple[str, ...], words: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Zoo(all=[value])  # type: ignore[arg-type]
    (error,) = caught.value.errors()
    assert (error["type"], error["loc"]) == (kind_of_error, ("all", 0, *location))
    assert words in error["msg"]


def test_a_kind_that_is_not_used_is_not_imported() -> None:
    """`far` names a module that does not exist, and nothing above minds."""
    assert Zoo(first="dog").first.name == "someone"  # type: ignore[arg-type]
    with pytest.raises(ModuleNotFoundError):
        ANIMALS.settings_class("far")
    assert ANIMALS.kinds == ("dog", "cat", "far")


def test_json_schema_lists_every_kind() -> None:
    """Each as a section, and by its name alone where that is enough."""
    entries = {"dog": f"{__name__}:DogSettings", "cat": f"{__name__}:CatSettings"}

    class Kennel(_Section):
        inmate: Annotated[Animal, Registry("animal", entries)]

    dog, cat, names = Kennel.model_json_schema()["properties"]["inmate"]["oneOf"]
    assert names == {"enum": ["dog"]}, "a cat has no colour by default"
    assert cat["required"] == ["kind", "colour"]
    assert dog["properties"]["n_legs"] == {
        "default": 4,
        "minimum": 1,
        "title": "N Legs",
        "type": "integer",
    }
