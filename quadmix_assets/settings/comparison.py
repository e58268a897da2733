"""Settings of the comparison with random mixes."""

from pydantic import Field

from quadmix_assets.settings.base import PositiveInt, Section


class ComparisonSettings(Section):
    """The same model trained on the mix and on a random mix of the same size."""

    n_seeds: PositiveInt = Field(
        default=3,
        description="models trained on each of the two, with different seeds; a single one gives "
        "no confidence interval",
    )
    n_tokens: PositiveInt | None = Field(
        default=None,
        description="training tokens of each model; null takes proxies.training.n_tokens_per_proxy",
    )
