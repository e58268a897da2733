"""The sections of a starter profile about the inputs: head, corpus, tokenizer, targets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from upath import UPath

from quadmix_assets.starter.roles import Roles, Score
from quadmix_assets.starter.sizes import Sizes
from quadmix_assets.starter.survey import PoolSurvey
from quadmix_assets.starter.targets import TargetGuess
from quadmix_assets.starter.text import comment, printable, shown_count, shown_shards, yaml_value

MAX_TARGETS = 12
_FEW_ROWS = 50


@dataclass(frozen=True)
class Places:
    """Writes paths for the profile.

    Attributes:
        root: the folder that relative paths of the profile start from.
        targets: the folder of the target sets.
    """

    root: Path
    targets: UPath

    def shown(self, path: UPath) -> str:
        """A URI as it is, a path relative to `root` if it is below it, else an absolute path."""
        if "://" in str(path):
            return str(path)
        absolute = Path(str(path)).absolute()
        if absolute.is_relative_to(self.root):
            return absolute.relative_to(self.root).as_posix()
        return absolute.as_posix()


def head(survey: PoolSurvey, sizes: Sizes) -> list[str]:
    """What was inspected and found, as comments."""
    formats = ", ".join(f"{n:,} {suffix}" for suffix, n in survey.formats.most_common())
    unreadable = (
        [f"{survey.n_unreadable} of the inspected shards cannot be read: see `quadmix check`."]
        if survey.n_unreadable
        else []
    )
    lines = [
        "A starter profile, written by `quadmix init` from "
        f"{survey.n_rows_read:,} rows: the first ones of {shown_shards(survey.n_read)}.",
        f"The pool: {shown_shards(len(survey.discovery.shards))} ({formats}), about "
        f"{survey.n_rows:,} documents, about {shown_count(sizes.n_tokens)} tokens "
        "(at 4 bytes a token).",
        *unreadable,
        "Guesses are marked as such; choices that only you can make are marked DECIDE. Then: "
        "`quadmix --profile <this file> check`, and `run`.",
    ]
    rows = [
        (
            column.name,
            column.type,
            f"{column.n_values / survey.n_rows_read:.0%}",
            # Long texts are not counted by value, so their number of distinct values is unknown.
            f"{len(column.distinct):,}" if column.distinct.total() == column.n_values else "",
            column.example,
        )
        for column in survey.columns.values()
    ]
    header = ("column", "type", "filled", "distinct", "example")
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(4)]
    table = [
        "   "
        + "  ".join([*(f"{c:{w}}" for c, w in zip(row, widths, strict=False)), row[4]]).rstrip()
        for row in [header, *rows]
    ]
    return [*comment(lines), "#", *(f"#{printable(line)}".rstrip() for line in table)]


def corpus_section(
    survey: PoolSurvey, roles: Roles, scores: Sequence[Score], places: Places
) -> list[str]:
    """The folder of the shards and the columns that are used; `scores` are carried columns."""
    lines = ["corpus:", f"  raw: {yaml_value(places.shown(survey.folder))}"]
    if survey.patterns is not None:
        lines += comment(["The default patterns match none of these files."], "  ")
        lines.append(f"  patterns: {yaml_value(list(survey.patterns))}")
    if roles.text is None:
        lines += comment(["DECIDE: no column holds text. Name the one that does."], "  ")
        lines.append("  text_column: text")
    else:
        if roles.other_texts:
            others = ", ".join(roles.other_texts)
            lines += comment([f"Guessed. Other columns that hold text: {others}."], "  ")
        lines.append(f"  text_column: {yaml_value(roles.text)}")
    lines += _id_lines(roles)
    if roles.source is None:
        lines.append("  source_column: null  # no such column; the shard's key is the source")
    else:
        lines.append(f"  source_column: {yaml_value(roles.source)}")
    carried = {score.column: score.type for score in scores}
    if roles.domain is not None:
        carried = {roles.domain.name: "string"} | carried
    lines += comment(
        [
            "Columns that are read besides the text, with their type: string, int, float or bool. "
            "Others may be added; they go through to the mix."
        ],
        "  ",
    )
    return [*lines, f"  carried_columns: {yaml_value(carried)}"]


def _id_lines(roles: Roles) -> list[str]:
    if roles.id is not None:
        return [
            f"  id_column: {yaml_value(roles.id)}  # no value occurs twice in the inspected rows"
        ]
    reason = (
        f"values of {roles.repeated_id!r} occur more than once, and ids must be unique"
        if roles.repeated_id is not None
        else "no column holds a different value for every row"
    )
    return [
        *comment([f"Ids are made from shard and row: {reason}."], "  "),
        "  id_column: null",
    ]


def tokenizer_section(sizes: Sizes) -> list[str]:
    """The size of the vocabulary."""
    return [
        *comment(
            [
                "Trained on a sample of the pool. The vocabulary is small, since the embeddings "
                "are most of the parameters of a small proxy."
            ]
        ),
        f"tokenizer: {{vocab_size: {sizes.vocab_size}}}",
    ]


def targets_section(
    targets: Sequence[TargetGuess], used: Sequence[TargetGuess], places: Places
) -> list[str]:
    """The target sets in use; the others are comments with the reason why they are not used.

    Args:
        targets: all files of the target folder.
        used: those of them that become target sets.
        places: writes their paths.
    """
    lines = comment(
        [
            "Text that the mix should make a model good at: the losses of proxies are measured on "
            "it. A third of each set is used to fit criteria instead (`fit_share`), and half of "
            "the others only to prove what the search finds (`proof_share`)."
        ]
    )
    lines.append("targets:")
    if not used:
        folder = places.shown(places.targets)
        lines += comment(
            [
                f"DECIDE: {folder} holds no file that can be used. Put one there (JSON lines or "
                "Parquet, some hundred rows at least) and name it. Rows with several fields need "
                'a `template`, as "{question}\\n\\n{answer}", or a `format`.'
            ],
            "  ",
        )
        return [*lines, f"  - {{name: target, path: {yaml_value(f'{folder}/target.jsonl')}}}"]
    for guess in targets:
        options = {"name": guess.name, "path": places.shown(guess.path), **guess.options}
        line = f"- {yaml_value(options)}"
        if guess in used:
            notes = [f"{_rows(guess)}; {guess.reason}."]
            if guess.n_rows < _FEW_ROWS:
                notes.append("DECIDE: losses on so few rows are noisy.")
            lines += comment([" ".join(notes)], "  ")
            lines.append(f"  {line}")
        elif not guess.is_usable:
            lines += comment([f"{places.shown(guess.path)} cannot be used: {guess.reason}"], "  ")
        else:
            why = (
                f"left out for the final evaluation: {guess.train_name} is the training part"
                if guess.train_name is not None
                else f"left out: the first {MAX_TARGETS} files are enough to begin with"
            )
            lines += comment([f"{_rows(guess)}; {why}."], "  ")
            lines.append(f"  # {line}")
    return lines


def _rows(guess: TargetGuess) -> str:
    return f"{'about ' if guess.is_estimate else ''}{guess.n_rows:,} rows"
