"""The target formats by name. A new format is one line here and one module."""

from quadmix_assets.corpus.target_formats.base import TargetFormat
from quadmix_assets.registry import load_entry

FORMATS: dict[str, str] = {
    "conversations": "quadmix_assets.corpus.target_formats.conversations:FORMAT",
    "hellaswag": "quadmix_assets.corpus.target_formats.hellaswag:FORMAT",
    "arc": "quadmix_assets.corpus.target_formats.arc:FORMAT",
    "mmlu": "quadmix_assets.corpus.target_formats.mmlu:FORMAT",
    "triviaqa": "quadmix_assets.corpus.target_formats.triviaqa:FORMAT",
}
"""`module:object` of each `TargetFormat`, by the name that the settings use."""


def target_format(name: str) -> TargetFormat:
    """The format of that name.

    Raises:
        ValueError: there is no such format; the message lists those there are.
    """
    found: TargetFormat = load_entry(FORMATS[known_format(name)])
    return found


def known_format(name: str) -> str:
    """`name`, if a format has it.

    Raises:
        ValueError: there is no such format; the message lists those there are.
    """
    if name not in FORMATS:
        raise ValueError(f"there is no target format {name!r}; there are: {', '.join(FORMATS)}")
    return name
