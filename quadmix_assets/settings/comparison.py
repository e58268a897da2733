"""Settings of the comparison with random mixes."""

from pydantic import Field

from quadmix_assets.settings.base import PositiveInt, Section


class ComparisonSettings(Section):
    """The same model trained on the mix and on a random mix of the same size."""

    n_seeds: PositiveInt = Field(
        default=3,
        description="trainings on each of the two, with seeds of their own; fewer give no interval",
    )
    n_tokens: PositiveInt | None = Field(
        default=None,
        description="training tokens of each model; null takes the proxies' budget",
    )
