"""Checks the labelled examples that a domain classifier is fitted to."""

from collections import Counter

from quadmix_assets.corpus.check.report import Findings, LabelsReport
from quadmix_assets.corpus.inputs import labels_path
from quadmix_assets.corpus.readers import UnreadableShardError, no_such_column, read_sample
from quadmix_assets.corpus.readers.values import carried_value
from quadmix_assets.settings import UNKNOWN_DOMAIN, LabelledExamples, Settings
from quadmix_assets.store import Store

_N_ROWS = 5_000


def look_at_labels(
    settings: Settings, store: Store, examples: LabelledExamples, findings: Findings
) -> LabelsReport | None:
    """Compare the labels of the first rows with the names of the domains.

    Returns:
        None if the file is missing, cannot be read, or lacks rows or columns.
    """
    path = labels_path(settings, store, examples)
    section = "features.domains"
    if not path.exists():
        findings.problems.append(f"{section}.labels: {path} is not there")
        return None
    try:
        sample = read_sample(path, n_rows=_N_ROWS)
    except UnreadableShardError as error:
        findings.problems.append(f"{section}.labels: {error}")
        return None
    if not sample.rows:
        findings.problems.append(f"{section}.labels: {path} holds no labelled example")
        return None
    missing = False
    for setting in ("text_column", "domain_column"):
        column = getattr(examples, setting)
        if not sample.has(column):
            missing = True
            what = no_such_column(column, sample.columns)
            findings.problems.append(f"{section}.{setting}: {path}: {what}")
    if missing:
        return None
    labels = Counter(
        str(carried_value(value, "string", examples.domain_column))
        for _, value in sample.values(examples.domain_column)
        if value is not None
    )
    domains = settings.features.domains
    names = ", ".join(domains.names)
    unknown = [label for label, _ in labels.most_common() if label not in domains.names]
    if unknown:
        findings.problems.append(
            f"{section}.names: {path}: {len(unknown)} labels in the column "
            f"{examples.domain_column!r} are not among the names ({names}), the most frequent: "
            f"{', '.join(map(repr, unknown[:10]))}: add them to the names, or correct or remove "
            "the examples"
        )
    unused = [name for name in domains.names if name not in labels and name != UNKNOWN_DOMAIN]
    if unused and sample.is_whole and not unknown:
        findings.problems.append(
            f"{section}.names: {path}: no example for {', '.join(unused)}: add examples, or remove "
            "the names"
        )
    return LabelsReport(sample.n_rows, sample.is_estimate, labels)
