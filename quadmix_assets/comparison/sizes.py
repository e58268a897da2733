"""Which mixes can be compared: those of one size, and those of the size that their method takes."""

from collections.abc import Mapping

from quadmix_assets.settings import Settings

# Sizes are met to a document on the pool that a rule is fitted on, and nearly on the whole pool.
_SAME = 0.01


def same_size(n_tokens: int, other: int) -> bool:
    """Whether two mixes have the same number of tokens, but for one percent."""
    return abs(n_tokens - other) <= _SAME * max(n_tokens, other)


def equal_sizes(n_tokens: Mapping[str, int], production: str) -> list[str]:
    """The largest group of mixes of one size; of equal groups the one with production's size.

    Args:
        n_tokens: of every mix by name, copies included.
        production: name of the mix in use.
    """
    groups = [
        [name for name, size in n_tokens.items() if same_size(size, middle)]
        for middle in n_tokens.values()
    ]
    return max(groups, key=lambda group: (len(group), production in group), default=[])


def natural_sizes(settings: Settings) -> list[str]:
    """The mixes that have the size that their method takes by itself.

    Methods without a size of their own have what the settings give them.
    """
    return [
        mix.name
        for mix in settings.mixes
        if not mix.has_own_size or settings.tokens_of(mix) is None
    ]
