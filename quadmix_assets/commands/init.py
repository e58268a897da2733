"""`quadmix init`: writes a commented starter profile from the user's own shards."""

from pathlib import Path

from upath import UPath

from quadmix_assets.corpus.check import look_at_inputs
from quadmix_assets.settings import SettingsError, load_settings
from quadmix_assets.settings.load import root_of
from quadmix_assets.settings.locations import open_location
from quadmix_assets.starter.errors import ProfileNotWrittenError
from quadmix_assets.starter.profile import starter_profile
from quadmix_assets.starter.survey import survey_pool
from quadmix_assets.starter.targets import guess_targets
from quadmix_assets.store import Store, atomic_file


def init(raw: str, targets: str, output: Path, *, force: bool = False) -> str:
    """Write a starter profile.

    Args:
        raw: folder or URI of the shards.
        targets: folder or URI of the target sets; it may be absent.
        output: the YAML file to write.
        force: replace an existing file.

    Returns:
        What was inspected and what is left to decide, as text for the terminal.

    Raises:
        ProfileNotWrittenError: there is a file already and `force` is not given, or there are no
            shards with rows.
    """
    if output.exists() and not force:
        raise ProfileNotWrittenError(
            f"{output}: there is a file already: write another one with --output, or replace it "
            "with --force"
        )
    survey = survey_pool(open_location(raw))
    target_folder = open_location(targets)
    guesses = guess_targets(target_folder)
    text = starter_profile(
        survey, guesses, root=root_of(output.absolute()), target_folder=target_folder
    )
    with atomic_file(UPath(output)) as file:
        file.write(text.encode())
    return f"{output}: written from {survey.n_rows_read:,} rows of " + (
        f"{survey.n_read:,} shards and {len(guesses)} target files\n" + _left_to_decide(output)
    )


def _left_to_decide(output: Path) -> str:
    lines = []
    try:
        settings = load_settings(output)
        findings = look_at_inputs(settings, Store(settings.resolve(settings.lake))).findings
        lines += [f"- {problem}" for problem in findings.problems]
    except SettingsError as error:
        lines.append(f"- {error}")
    if lines:
        return "\n".join(["to be corrected before it can be run:", *lines]) + "\n"
    n_decisions = output.read_text().count("DECIDE:")
    return (
        f"read it first ({n_decisions} choices are marked DECIDE), then:\n"
        f"  quadmix --profile {output} check\n"
        f"  quadmix --profile {output} run\n"
    )
