"""Checks a target set, by its first rows."""

from itertools import islice

from upath import UPath

from quadmix_assets.corpus.check.report import Findings, TargetReport
from quadmix_assets.corpus.inputs import setting_of, target_files
from quadmix_assets.corpus.readers import MissingTextColumnError, read_sample
from quadmix_assets.corpus.target_documents import target_documents
from quadmix_assets.settings import Settings, TextSetSettings
from quadmix_assets.store import Store

_N_FILES = 8
_N_ROWS = 200
_EXAMPLE_CHARACTERS = 60


def look_at_target(
    settings: Settings, store: Store, target: TextSetSettings, findings: Findings
) -> TargetReport:
    """Make the texts of the first rows of a target set or a held-out set.

    Of several files, of the first eight.

    A data set of the hub is not downloaded here: its report has no files and no rows.
    """
    report = TargetReport(target.name)
    if target.dataset is not None and settings.corpus.datasets is None:
        return report
    key = setting_of(target)
    try:
        files = target_files(settings, store, target)
    except FileNotFoundError as error:
        findings.problems.append(str(error))
        return report
    report.n_files = len(files)
    report.is_estimate = len(files) > _N_FILES
    for path in files[:_N_FILES]:
        problem = _look_at_file(path, target, report)
        if problem is not None:
            findings.problems.append(f"{key}.{problem}")
            return report
    if not report.n_rows:
        findings.problems.append(
            f"{key}.path: {files[0]} holds no document: a target set needs at least one for each "
            "of its parts, fit, search and proof, and a held-out set one"
        )
    scale = len(files) / min(len(files), _N_FILES)
    report.n_rows = round(report.n_rows * scale)
    report.n_text_bytes = round(report.n_text_bytes * scale)
    return report


def _look_at_file(path: UPath, target: TextSetSettings, report: TargetReport) -> str | None:
    """Add a file to the report.

    Returns:
        What is wrong with it, after the last part of the settings key; None if nothing is.
    """
    if not path.exists():
        return f"path: {path} is not there"
    try:
        sample = read_sample(path, n_rows=_N_ROWS)
        documents = target_documents(
            path,
            setting=setting_of(target),
            key=target.name,
            text_column=target.text_column,
            id_column="id",
            template=target.template,
            format=target.format,
        )
        texts = [document.text for document in islice(documents, _N_ROWS)]
    except MissingTextColumnError as error:
        return (
            f"text_column: {error.path}: {error.reason} Set it to the one that holds the text, or "
            "set a template or a format"
        )
    except (OSError, ValueError) as error:
        return f"path: {error}"
    if texts:
        n_bytes = sum(len(text.encode()) for text in texts)
        report.n_text_bytes += round(n_bytes / len(texts) * sample.n_rows)
        report.n_rows += sample.n_rows
        report.is_estimate |= sample.is_estimate
        report.example = report.example or texts[0][:_EXAMPLE_CHARACTERS]
    return None
