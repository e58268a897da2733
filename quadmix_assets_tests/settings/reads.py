"""Records which settings are read, by patching the attribute access of their classes."""

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import pytest
from pydantic import BaseModel

from quadmix_assets.corpus.check import InputReport, inputs
from quadmix_assets.settings import Settings
from quadmix_assets.settings.base import Section

_FOR_DISPLAY = (
    ("quadmix_assets.report.settings_of", "settings_used"),
    ("quadmix_assets.defs.materialized", "settings_used"),
    ("quadmix_assets.defs.metadata", "describe"),
)


class Reads:
    """The paths of the settings that were read, such as `mix.max_breakpoints`.

    An entry of a list is addressed by its name, or by its number if it has none.
    """

    def __init__(self) -> None:
        self.paths: set[str] = set()
        self.paused = False
        # Sections are kept, so that no other object gets the id of one.
        self._known: dict[int, tuple[BaseModel, str]] = {}

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Record nothing while the block runs."""
        before, self.paused = self.paused, True
        try:
            yield
        finally:
            self.paused = before

    def note(self, section: BaseModel, field: str, value: Any) -> None:
        """Record that a field of a section was read."""
        if self.paused:
            return
        known = "" if isinstance(section, Settings) else self.path_of(section)
        if known is not None:
            self._enter(f"{known}.{field}".lstrip("."), value)

    def note_all(self, section: BaseModel, *, without: Collection[str] = ()) -> None:
        """Record that everything below a section was read, `without` some of its fields."""
        known = "" if isinstance(section, Settings) else self.path_of(section)
        if self.paused or known is None:
            return
        for field in type(section).model_fields.keys() - set(without):
            value = object.__getattribute__(section, field)
            self._enter(f"{known}.{field}".lstrip("."), value)
            for inner in _sections_in(value):
                self.note_all(inner)

    def same(self, section: BaseModel, copy: BaseModel) -> None:
        """Reads of `copy` count as those of the section that it was copied from."""
        path = self.path_of(section)
        if path is not None:
            self._known[id(copy)] = (copy, path)

    def path_of(self, section: BaseModel) -> str | None:
        return self._known.get(id(section), (section, None))[1]

    def _enter(self, path: str, value: Any) -> None:
        if not _sections_in(value):
            self.paths.add(path)
        elif isinstance(value, Section):
            self._known[id(value)] = (value, path)
        elif isinstance(value, dict):
            for name, inner in value.items():
                self._known[id(inner)] = (inner, f"{path}.{name}")
        else:
            for number, inner in enumerate(value):
                name = inner.__dict__.get("name", number)
                self._known[id(inner)] = (inner, f"{path}[{name}]")


def _sections_in(value: Any) -> list[Section]:
    if isinstance(value, Section):
        return [value]
    inner = value.values() if isinstance(value, dict) else value
    return [v for v in inner if isinstance(v, Section)] if isinstance(value, dict | tuple) else []


@contextmanager
def recorded_reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reads]:
    """Record what is read of any settings while the block runs.

    Validation is not recorded, nor is the check of the inputs, which refuses them or does nothing,
    nor what is read to be shown.
    """
    reads = Reads()

    def get(section: BaseModel, name: str) -> Any:
        if not reads.paused and isinstance(getattr(type(section), name, None), cached_property):
            # Computed anew, so that what it reads is seen although validation has cached it.
            section.__dict__.pop(name, None)
        value = object.__getattribute__(section, name)
        if name in type(section).model_fields:
            reads.note(section, name, value)
        return value

    def dump(section: BaseModel, **options: Any) -> Any:
        reads.note_all(section, without=options.get("exclude") or ())
        return BaseModel.model_dump(section, **options)

    def copy(section: BaseModel, **options: Any) -> Any:
        copied = BaseModel.model_copy(section, **options)
        reads.same(section, copied)
        return copied

    def equal(section: BaseModel, other: object) -> bool:
        reads.note_all(section)
        return BaseModel.__eq__(section, other)

    validate, look = Settings.__init__, inputs.look_at_inputs

    def initialise(settings: Settings, **values: Any) -> None:
        with reads.pause():
            validate(settings, **values)

    def look_at_inputs(*arguments: Any, **options: Any) -> InputReport:
        with reads.pause():
            return look(*arguments, **options)

    with monkeypatch.context() as patch:
        for base in (Section, Settings):
            patch.setattr(base, "__getattribute__", get, raising=False)
            patch.setattr(base, "model_dump", dump, raising=False)
            patch.setattr(base, "model_copy", copy, raising=False)
            patch.setattr(base, "__eq__", equal, raising=False)
        patch.setattr(Settings, "__init__", initialise)
        patch.setattr(inputs, "look_at_inputs", look_at_inputs)
        for module, name in _FOR_DISPLAY:
            called = getattr(sys.modules[module], name)
            patch.setattr(sys.modules[module], name, _paused(reads, called))
        yield reads


def _paused(reads: Reads, called: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        with reads.pause():
            return called(*arguments, **options)

    return call
