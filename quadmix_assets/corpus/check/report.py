"""The results of the check of a profile's inputs, as data classes."""

from collections import Counter
from dataclasses import dataclass, field

from quadmix_assets.corpus.discovery import Discovery


@dataclass
class Findings:
    """What is wrong with the inputs.

    Attributes:
        problems: they keep the graph from being run. Each names the setting or the file, what was
            expected, what is there, and what to do.
        warnings: they cost single shards or rows only.
    """

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass
class ColumnUse:
    """A column that the settings name, and how far the inspected rows have it.

    Attributes:
        setting: the settings key that names it.
        column: its name in the input.
        n_shards: inspected shards that have it.
        n_values: inspected rows with a value in it.
        example: the first value, shortened.
    """

    setting: str
    column: str
    n_shards: int = 0
    n_values: int = 0
    example: str = ""


@dataclass
class ShardsReport:
    """The input shards.

    Attributes:
        discovery: all shards.
        n_read: inspected shards; not those that cannot be read.
        n_rows_read: inspected rows.
        n_rows: rows of the pool, estimated from the inspected shards.
        n_text_bytes: bytes of the pool's text, estimated in the same way.
        columns: the columns that the settings name.
        domains: number of inspected rows by domain, where a column gives the domain.
    """

    discovery: Discovery
    n_read: int = 0
    n_rows_read: int = 0
    n_rows: int = 0
    n_text_bytes: int = 0
    columns: list[ColumnUse] = field(default_factory=list)
    domains: Counter[str] = field(default_factory=Counter)


@dataclass
class TargetReport:
    """One target set.

    Attributes:
        name: its name in the settings.
        n_files: number of its files; 0 for a data set of the hub, which is not inspected.
        n_rows: its rows; an estimate where `is_estimate`.
        n_text_bytes: bytes of its text, estimated from the inspected rows.
        example: the start of its first text.
    """

    name: str
    n_files: int = 0
    n_rows: int = 0
    is_estimate: bool = False
    n_text_bytes: int = 0
    example: str = ""


@dataclass
class TaskReport:
    """One benchmark task.

    Attributes:
        name: its name in the settings.
        n_questions: questions of its file; 0 for a data set of the hub, which is not inspected.
        is_open: whether they are open; else they have choices.
        example: the start of its first question.
    """

    name: str
    n_questions: int = 0
    is_open: bool = False
    example: str = ""


@dataclass
class LabelsReport:
    """The labelled examples of a domain classifier.

    Attributes:
        n_rows: rows of the file; an estimate where `is_estimate`.
        labels: number of inspected rows by label.
    """

    n_rows: int
    is_estimate: bool
    labels: Counter[str]


@dataclass
class InputReport:
    """All inputs of a profile; `labels` is None where the settings need no labelled examples."""

    findings: Findings
    shards: ShardsReport
    targets: list[TargetReport]
    labels: LabelsReport | None
    held_out: list[TargetReport]
    tasks: list[TaskReport]
