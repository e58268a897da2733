"""Checks the questions of a benchmark task."""

from quadmix_assets.corpus.check.report import Findings, TaskReport
from quadmix_assets.corpus.question_files import read_questions
from quadmix_assets.settings import Settings, TaskSettings

_EXAMPLE_CHARACTERS = 60


def look_at_task(settings: Settings, task: TaskSettings, findings: Findings) -> TaskReport:
    """Read all questions of a task's file.

    A task of lm-evaluation-harness itself is not looked for: its report has no questions.
    """
    report = TaskReport(task.name)
    if task.path is None:
        return report
    try:
        questions = read_questions(settings.resolve(task.path), task=task.name, n_shot=task.n_shot)
    except (OSError, ValueError) as error:
        findings.problems.append(f"evidence.tasks[{task.name}]: {error}")
        return report
    report.n_questions = len(questions)
    report.is_open = questions[0].is_open
    report.example = " ".join(questions[0].text.split())[:_EXAMPLE_CHARACTERS]
    return report
