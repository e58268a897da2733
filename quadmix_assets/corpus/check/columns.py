"""Checks the columns that the settings name, except the text."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from quadmix_assets.corpus.check.report import ColumnUse, Findings
from quadmix_assets.corpus.readers import FileSample, RowError, no_such_column
from quadmix_assets.corpus.readers.values import carried_value, id_of
from quadmix_assets.settings import UNKNOWN_DOMAIN, DomainsSettings, Settings

_EXAMPLE_CHARACTERS = 40
_N_LABELS = 10


@dataclass
class ColumnLook:
    """Counts the values of one column in the inspected rows, and finds what is wrong with them.

    Attributes:
        use: the setting, the column and its counts, for the report.
        kind: the type that its values are converted to; None for ids.
        is_required: whether it is a problem if no shard has the column.
        criterion: whether its values are a score, which every document needs.
        classifier: the domain classifier that reads the column's labels; None without one.
        labels: number of rows by label; "" for rows without one.
        bad: the first value that cannot be converted: its file, row and error.
        n_bad: number of rows with such a value.
        without: file and number of the first row without a value.
        n_without: number of rows without a value.
    """

    use: ColumnUse
    kind: str | None
    is_required: bool
    criterion: bool = False
    classifier: DomainsSettings | None = None
    labels: Counter[str] = field(default_factory=Counter)
    bad: str = ""
    n_bad: int = 0
    without: str = ""
    n_without: int = 0

    def take(self, sample: FileSample) -> None:
        """Count the column's values in the rows of one shard."""
        column = self.use.column
        self.use.n_shards += sample.has(column)
        values = dict(sample.values(column))
        for row in sample.rows:
            try:
                value = self._converted(values.get(row))
            except RowError as error:
                self.n_bad += 1
                self.bad = self.bad or f"{sample.path}, row {row}: {error.detail}"
                continue
            if value is None:
                self.n_without += 1
                self.without = self.without or f"{sample.path}, row {row}"
            else:
                self.use.n_values += 1
                self.use.example = self.use.example or str(value)[:_EXAMPLE_CHARACTERS]
            if self.classifier is not None:
                self.labels["" if value is None else str(value)] += 1

    @property
    def is_absent(self) -> bool:
        """Whether the column is required and no shard so far has it."""
        return self.is_required and not self.use.n_shards

    @property
    def _may_be_null(self) -> bool:
        """Whether all values may be null: not those of required ids, scores and domain labels."""
        needs_value = self.criterion or self.classifier is not None or self.kind is None
        return not (needs_value and self.is_required)

    @property
    def domains(self) -> Counter[str]:
        """Number of inspected rows by domain; empty where the column holds no domain labels."""
        found: Counter[str] = Counter()
        if self.classifier is not None:
            for label, n in self.labels.items():
                found[self._domain_of(label)] += n
        return found

    def conclude(
        self, first: FileSample, columns: list[str], n_shards: int, findings: Findings
    ) -> None:
        """Report what is wrong, after `take` has seen the rows of all inspected shards.

        Args:
            first: a shard with rows, to name in a message.
            columns: the columns of all inspected shards.
            n_shards: number of inspected shards with rows.
            findings: the problems and warnings are added to it.
        """
        setting, column = self.use.setting, self.use.column
        if not self.use.n_shards:
            if self.is_required:
                what = no_such_column(column, columns)
                findings.problems.append(
                    f"{setting}: no inspected shard has it, for example {first.path}: {what} "
                    f"{self._remedy()}"
                )
            return
        if self.criterion and self.kind == "string":
            findings.problems.append(
                f"{setting}: corpus.carried_columns gives {column!r} the type string, but a score "
                f"must be a number (the first value is {self.use.example!r}): set the type to "
                "float or int, or name a column of numbers"
            )
            return
        if not self.use.n_values and not self.bad and self._may_be_null:
            if self.is_required:
                findings.warnings.append(f"{setting}: every inspected value of {column!r} is null")
            return
        if not self.use.n_values:
            reason = self.bad or "every value is null"
            findings.problems.append(
                f"{setting}: no inspected row has a usable value in {column!r}: {reason}. "
                f"{self._remedy()}"
            )
            return
        if self.n_bad:
            findings.warnings.append(
                f"{setting}: {self.n_bad} inspected rows have a value in {column!r} that cannot be "
                f"used, and go to raw_shards_quarantine: {self.bad}"
            )
        if self.criterion and self.n_without:
            findings.warnings.append(
                f"{setting}: {self.n_without} inspected rows have no score in {column!r}, the "
                f"first: {self.without}. Their shards cannot be scored: score these documents, or "
                "remove them from the input"
            )
        elif self.is_required and self.use.n_shards < n_shards:
            findings.warnings.append(
                f"{setting}: {n_shards - self.use.n_shards} of {n_shards} inspected shards have no "
                f"column {column!r}" + self._where_absent()
            )
        self._compare_labels(findings)

    def _compare_labels(self, findings: Findings) -> None:
        classifier = self.classifier
        if classifier is None:
            return
        unmapped = [
            (label, n)
            for label, n in self.labels.most_common()
            if label and self._domain_of(label) == UNKNOWN_DOMAIN and label != UNKNOWN_DOMAIN
        ]
        shown = ", ".join(f"{label!r} ({n})" for label, n in unmapped[:_N_LABELS])
        if set(self.domains) <= {UNKNOWN_DOMAIN}:
            findings.problems.append(
                f"features.domains: no label in the column {self.use.column!r} is one of "
                f"features.domains.names ({', '.join(classifier.names)}) or of "
                f"features.domains.mapping, so that every document would be {UNKNOWN_DOMAIN!r}; "
                f"its labels, with their numbers of rows, are: {shown}. Use these as names, or map "
                "them to your names"
            )
        elif unmapped:
            findings.warnings.append(
                f"features.domains: {sum(n for _, n in unmapped)} of {self.labels.total()} "
                "inspected rows have a label that is neither a name nor mapped to one, and are "
                f"{UNKNOWN_DOMAIN!r}: {shown}"
            )

    def _domain_of(self, label: str) -> str:
        assert self.classifier is not None
        return self.classifier.domain_of(label)

    def _converted(self, value: Any) -> Any:
        if self.kind is None:
            return id_of(value)
        return carried_value(value, self.kind, self.use.column)

    def _where_absent(self) -> str:
        if self.classifier is not None:
            return f": their documents are {UNKNOWN_DOMAIN!r}"
        if self.kind is None:
            return ": they fail their own partitions"
        return ": it is null for their documents"

    def _remedy(self) -> str:
        if self.kind is None:
            return "Set it to the column of the ids, or to null to have ids made from shard and row"
        if self.use.setting == "corpus.source_column":
            return "Set it to the column of the sources, or to null to have the shard's key"
        return "Correct the name, or remove the setting"


def looks_of(settings: Settings) -> list[ColumnLook]:
    """A `ColumnLook` for each column that the settings name, except the text."""
    corpus = settings.corpus
    looks = []
    if corpus.id_column is not None:
        use = ColumnUse("corpus.id_column", corpus.id_column)
        looks.append(ColumnLook(use, None, corpus.names_id_column))
    if corpus.source_column is not None:
        use = ColumnUse("corpus.source_column", corpus.source_column)
        looks.append(ColumnLook(use, "string", corpus.names_source_column))
    scores = {
        criterion.score_column: f"features.criteria[{criterion.name}].column"
        for criterion in settings.features.criteria
        if criterion.score_column is not None
    }
    domains = settings.features.domains
    for column, kind in corpus.carried_columns.items():
        of_domains = domains.label_column == column
        setting = scores.get(column, "corpus.carried_columns")
        if of_domains:
            setting = "features.domains.column"
        looks.append(
            ColumnLook(
                ColumnUse(setting, column),
                kind,
                is_required=True,
                criterion=column in scores,
                classifier=domains if of_domains else None,
            )
        )
    return looks
