"""Looks at all inputs of a profile, and refuses those that nothing can be made of."""

from collections.abc import Sequence

from quadmix_assets.corpus.check.labels import look_at_labels
from quadmix_assets.corpus.check.report import Findings, InputReport
from quadmix_assets.corpus.check.shards import look_at_shards
from quadmix_assets.corpus.check.targets import look_at_target
from quadmix_assets.settings import Settings, SettingsError
from quadmix_assets.store import Store


def look_at_inputs(settings: Settings, store: Store) -> InputReport:
    """Read some rows of every input: of a bounded number of shards, of each target, of the labels.

    Nothing is raised for an input that is wrong: the findings say so.
    """
    findings = Findings()
    targets = [look_at_target(settings, store, target, findings) for target in settings.targets]
    examples = settings.features.domains.labelled_examples
    labels = None
    if examples is not None:
        labels = look_at_labels(settings, store, examples, findings)
    shards = look_at_shards(settings, store, findings)
    return InputReport(findings, shards, targets, labels)


def check_inputs(settings: Settings, store: Store) -> InputReport:
    """Look at all inputs before any work starts.

    Raises:
        SettingsError: the inputs cannot be used as the settings say; one message names everything
            that is wrong.
    """
    report = look_at_inputs(settings, store)
    if report.findings.problems:
        raise incomplete(settings, report.findings.problems)
    return report


def incomplete(settings: Settings, problems: Sequence[str]) -> SettingsError:
    """The one error for all that is wrong with a profile's inputs."""
    return SettingsError(
        f"profile {settings.profile!r}: the inputs are not complete:\n"
        + "\n".join(f"- {problem}" for problem in problems)
    )
