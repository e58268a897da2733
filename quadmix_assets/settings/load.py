"""Reads a profile: YAML file, environment overrides, validation."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
)

from quadmix_assets.redaction import redacted
from quadmix_assets.settings.errors import SettingsError, describe_validation_error
from quadmix_assets.settings.root import OVERRIDE_PREFIX, Settings
from quadmix_assets.settings.yaml_text import parse_yaml

PACKAGE = Path(__file__).parents[1]
PROFILES_FOLDER = PACKAGE / "profiles"
DEFAULT_PROFILE = "demo"
PROFILE_VARIABLE = "QUADMIX_PROFILE"
# Holds the text of the profile for child processes; see `frozen.py`.
FROZEN_VARIABLE = "QUADMIX_FROZEN"
# Of this machine and not of a project: read by `store/copies_folder.py`.
_COPIES_VARIABLES = ("QUADMIX_COPIES", "QUADMIX_COPIES_GB")
_NO_OVERRIDES = (PROFILE_VARIABLE, FROZEN_VARIABLE, *_COPIES_VARIABLES)


@dataclass(frozen=True)
class ProfileText:
    """What a profile's file says, and where its relative paths start.

    Attributes:
        path: the file, absolute.
        root: the folder that relative paths of the settings start at, absolute.
        text: the YAML text.
    """

    path: Path
    root: Path
    text: str


def chosen_profile(profile: str | Path | None = None) -> str:
    """The profile asked for: `profile`, else what QUADMIX_PROFILE names, else the demo."""
    return str(profile or os.environ.get(PROFILE_VARIABLE) or DEFAULT_PROFILE)


def load_settings(profile: str | Path | None = None) -> Settings:
    """Read and validate a profile.

    Args:
        profile: a profile's name, or the path of a YAML file; None takes the environment variable
            QUADMIX_PROFILE, and without it the demo.

    Raises:
        SettingsError: the file is not there or not YAML, or a key is unknown or has a wrong
            value; the message names every such key, its value and what is allowed.
    """
    return settings_of(read_profile(profile))


def read_profile(profile: str | Path | None = None) -> ProfileText:
    """Read a profile's file, without validating it.

    Raises:
        SettingsError: there is no such file, or it is not text.
    """
    path = _profile_path(chosen_profile(profile)).absolute()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read as settings: {redacted(str(error))}") from None
    return ProfileText(path, root_of(path).resolve(), text)


def settings_of(profile: ProfileText) -> Settings:
    """Validate the text of a profile, with the overrides of the environment.

    Raises:
        SettingsError: as for `load_settings`.
    """
    _refuse_unknown_overrides()
    path = profile.path
    try:
        values = _mapping(profile.text)
    except ValueError as error:
        raise SettingsError(f"{path}: cannot be read as settings: {redacted(str(error))}") from None

    class _Profile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, values)

    try:
        given: dict[str, Any] = {"profile": path.stem, "root": profile.root}
        return _Profile(**given)
    except ValidationError as error:
        raise SettingsError(describe_validation_error(error, str(path), Settings)) from None
    except (ValueError, TypeError) as error:
        raise SettingsError(f"{path}: cannot be read as settings: {redacted(str(error))}") from None


def _mapping(text: str) -> dict[str, Any]:
    values = parse_yaml(text)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ValueError(f"expected keys with values, as in `seed: 1`, found {values!r:.200}")
    return values


def _profile_path(profile: str) -> Path:
    path = Path(profile)
    if path.suffix not in {".yaml", ".yml"}:
        path = PROFILES_FOLDER / f"{profile}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in PROFILES_FOLDER.glob("*.yaml")))
        raise SettingsError(
            f"{path}: there is no such profile; give the path of a YAML file or one of: {known}"
        )
    return path


def root_of(path: Path) -> Path:
    """Where a profile's relative paths start."""
    if path.parent == PROFILES_FOLDER:
        in_checkout = (PACKAGE.parent / "pyproject.toml").is_file()
        return PACKAGE.parent if in_checkout else Path.cwd()
    return path.parent.parent if path.parent.name == "profiles" else path.parent


def _refuse_unknown_overrides() -> None:
    for variable in os.environ:
        if not variable.startswith(OVERRIDE_PREFIX) or variable in _NO_OVERRIDES:
            continue
        top = variable.removeprefix(OVERRIDE_PREFIX).split("__")[0].lower()
        if top not in Settings.model_fields:
            allowed = ", ".join(sorted(Settings.model_fields))
            raise SettingsError(
                f"environment variable {variable}: settings have no key {top!r}; "
                f"the top-level keys are: {allowed}"
            )
