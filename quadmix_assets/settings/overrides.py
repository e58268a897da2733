"""Settings with a change for one run, as the UI's launchpad asks for it."""

from typing import Any

from pydantic import ValidationError

from quadmix_assets.settings.errors import SettingsError, describe_validation_error
from quadmix_assets.settings.root import Settings
from quadmix_assets.settings.search import SearchSettings


def with_search(
    settings: Settings,
    *,
    n_points: int | None = None,
    strategy: str | None = None,
    check_seeds: int | None = None,
) -> Settings:
    """The settings with other values in the section `search`; None keeps the value that is there.

    Args:
        settings: the settings of the profile.
        n_points: thetas whose losses the search predicts.
        strategy: kind of the search; where it is that of the settings their options stay, another
            kind has its default options.
        check_seeds: models that the check of theta* trains with different seeds.

    Raises:
        SettingsError: a value is not allowed; the message names it and what is.
    """
    changes: dict[str, Any] = {"n_points": n_points, "check_seeds": check_seeds}
    if strategy is not None and strategy != settings.search.strategy.kind:
        changes["strategy"] = strategy
    changes = {name: value for name, value in changes.items() if value is not None}
    if not changes:
        return settings
    try:
        search = SearchSettings.model_validate({**settings.search.model_dump(), **changes})
    except ValidationError as error:
        raise SettingsError(
            describe_validation_error(error, "the configuration of this run", SearchSettings)
        ) from None
    return settings.model_copy(update={"search": search})
