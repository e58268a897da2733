"""Checks all inputs of a profile, and raises one error for all that is wrong with them."""

from collections.abc import Sequence

from quadmix_assets.corpus.check.labels import look_at_labels
from quadmix_assets.corpus.check.report import Findings, InputReport
from quadmix_assets.corpus.check.shards import look_at_shards
from quadmix_assets.corpus.check.targets import look_at_target
from quadmix_assets.corpus.check.tasks import look_at_task
from quadmix_assets.settings import Settings, SettingsError
from quadmix_assets.store import Store


def look_at_inputs(settings: Settings, store: Store) -> InputReport:
    """Read some rows of every input: of some shards, of target sets, held-out sets and labels.
    The questions of benchmark tasks are read all.

    What is wrong with an input is not raised, but reported in `findings`.
    """
    findings = Findings()
    targets = [look_at_target(settings, store, target, findings) for target in settings.targets]
    held_out = [look_at_target(settings, store, each, findings) for each in settings.held_out_sets]
    examples = settings.features.domains.labelled_examples
    labels = None
    if examples is not None:
        labels = look_at_labels(settings, store, examples, findings)
    asked = settings.evidence.tasks if settings.evidence.enabled else ()
    tasks = [look_at_task(settings, task, findings) for task in asked]
    shards = look_at_shards(settings, store, findings)
    return InputReport(findings, shards, targets, labels, held_out, tasks)


def check_inputs(settings: Settings, store: Store) -> InputReport:
    """Inspect all inputs before any work starts.

    Raises:
        SettingsError: the inputs do not match the settings; one message names all problems.
    """
    report = look_at_inputs(settings, store)
    if report.findings.problems:
        raise incomplete(settings, report.findings.problems)
    return report


def incomplete(settings: Settings, problems: Sequence[str]) -> SettingsError:
    """One error for all problems of a profile's inputs."""
    return SettingsError(
        f"profile {settings.profile!r}: the inputs do not match the settings:\n"
        + "\n".join(f"- {problem}" for problem in problems)
    )
