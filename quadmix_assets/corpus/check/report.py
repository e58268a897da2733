"""What a look at the inputs found."""

from collections import Counter
from dataclasses import dataclass, field

from quadmix_assets.corpus.discovery import Discovery


@dataclass
class Findings:
    """What stops the whole graph, and what stops a part of it or is worth knowing.

    Attributes:
        problems: each names the setting or the file, what was expected, what is there, and what to
            do; with any of them nothing can be made of the inputs.
        warnings: what costs single shards or rows.
    """

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass
class ColumnUse:
    """A column of the settings, as the rows that were looked at have it.

    Attributes:
        setting: the key that names it.
        column: its name in the input.
        n_shards: shards that have it.
        n_values: rows with a value in it.
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
        discovery: all of them.
        n_read: shards of which rows were read; not those that cannot be read.
        n_rows_read: rows that were looked at.
        n_rows: rows of the pool, estimated from the shards that were read.
        n_text_bytes: bytes of the pool's text, estimated in the same way.
        columns: the columns that the settings name.
        domains: by domain, its rows among those looked at, where a column gives the domain.
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
        name: of the settings.
        n_files: files that hold it; 0 for a data set of the hub, which is not asked.
        n_rows: its rows; an estimate where `is_estimate`.
        n_text_bytes: bytes of its text, estimated from the rows that were looked at.
        example: the start of its first text.
    """

    name: str
    n_files: int = 0
    n_rows: int = 0
    is_estimate: bool = False
    n_text_bytes: int = 0
    example: str = ""


@dataclass
class LabelsReport:
    """The labelled examples of a domain classifier: rows by label, of those looked at."""

    n_rows: int
    is_estimate: bool
    labels: Counter[str]


@dataclass
class InputReport:
    """All inputs of a profile; `labels` is None where no labelled examples are asked for."""

    findings: Findings
    shards: ShardsReport
    targets: list[TargetReport]
    labels: LabelsReport | None
