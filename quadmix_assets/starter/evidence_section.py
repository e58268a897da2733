"""The section of a starter profile about the comparison of mixes."""

from collections.abc import Sequence

from quadmix_assets.starter.input_sections import Places
from quadmix_assets.starter.targets import TargetGuess
from quadmix_assets.starter.text import comment, yaml_value


def evidence_section(targets: Sequence[TargetGuess], places: Places) -> list[str]:
    """The comparison, switched off; files that were left out of the targets as comments."""
    lines = comment(
        [
            "Language models trained on every mix, measured on text that nothing has seen, and all "
            "mixes compared. DECIDE: true when there are mixes to compare; `quadmix plan` says "
            "what it will cost."
        ]
    )
    lines += ["evidence:", "  enabled: false"]
    left_out = [guess for guess in targets if guess.is_usable and guess.train_name is not None]
    if left_out:
        lines += comment(
            ["DECIDE: parts for evaluation could be held out, which finished models alone see."],
            "  ",
        )
        lines.append("  # held_out:")
    for guess in left_out:
        options = {"name": guess.name, "path": places.shown(guess.path), **guess.options}
        lines.append(f"  #   - {yaml_value(options)}")
    return lines
