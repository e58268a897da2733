"""Writes a starter profile: YAML, with the reason of every choice as a comment."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from upath import UPath

from quadmix_assets.settings import UNKNOWN_DOMAIN
from quadmix_assets.starter.roles import Roles, Score, guess_roles
from quadmix_assets.starter.sizes import Sizes, sizes_of
from quadmix_assets.starter.survey import ColumnSurvey, PoolSurvey
from quadmix_assets.starter.targets import TargetGuess

_WIDTH = 98
_N_CLUSTERS = 16
_MAX_TARGETS = 12
_FEW_ROWS = 50
_INSTRUCTIONS = re.compile(r"instruct|hermes|chat|sft|alpaca|dialog", re.I)


@dataclass(frozen=True)
class _Places:
    """How paths are written: relative to the project where they lie below it."""

    root: Path
    targets: UPath

    def shown(self, path: UPath) -> str:
        if "://" in str(path):
            return str(path)
        absolute = Path(str(path)).absolute()
        if absolute.is_relative_to(self.root):
            return absolute.relative_to(self.root).as_posix()
        return absolute.as_posix()


def starter_profile(
    survey: PoolSurvey, targets: Sequence[TargetGuess], *, root: Path, target_folder: UPath
) -> str:
    """The text of a profile.

    Args:
        survey: of the pool.
        targets: of the target folder.
        root: the folder that relative paths of the profile start from.
        target_folder: where target sets are expected.
    """
    places = _Places(root, target_folder)
    roles = guess_roles(list(survey.columns.values()), survey.n_rows_read)
    used = [guess for guess in targets if guess.is_usable and guess.train_name is None]
    used = used[:_MAX_TARGETS]
    scores = [score for score in roles.scores if score.is_named_so and score.is_complete]
    n_domains = (_N_CLUSTERS if roles.domain is None else len(roles.domain.distinct)) + 1
    sizes = sizes_of(_text_bytes(survey, roles), 3 + len(scores), n_domains)
    sections = [
        _head(survey, sizes),
        _corpus(survey, roles, scores, places),
        _tokenizer(sizes),
        _targets(targets, used, places),
        _features(roles, scores, _learned_from(used), survey),
        _parameters(sizes, n_domains),
        _search(used),
    ]
    return "\n".join("\n".join(lines) + "\n" for lines in sections)


def _head(survey: PoolSurvey, sizes: Sizes) -> list[str]:
    formats = ", ".join(f"{n:,} {suffix}" for suffix, n in survey.formats.most_common())
    unreadable = (
        [f"{survey.n_unreadable} of the shards looked at cannot be read: `quadmix check` says why."]
        if survey.n_unreadable
        else []
    )
    lines = [
        "A starter profile, written by `quadmix init` after a look at "
        f"{survey.n_rows_read:,} rows: the first ones of {_shards(survey.n_read)}.",
        f"The pool: {_shards(len(survey.discovery.shards))} ({formats}), about {survey.n_rows:,} "
        f"documents, about {_count(sizes.n_tokens)} tokens (at 4 bytes a token).",
        *unreadable,
        "What is guessed says so; what only you can know is marked DECIDE. Then: "
        "`quadmix --profile <this file> check`, and `run`.",
    ]
    rows = [
        (
            column.name,
            column.type,
            f"{column.n_values / survey.n_rows_read:.0%}",
            # Of long texts, not all are counted.
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
    return [*_comment(lines), "#", *(f"#{line}" for line in table)]


def _corpus(
    survey: PoolSurvey, roles: Roles, scores: Sequence[Score], places: _Places
) -> list[str]:
    lines = ["corpus:", f"  raw: {_value(places.shown(survey.folder))}"]
    if survey.patterns is not None:
        lines += _comment(["The default patterns match none of these files."], "  ")
        lines.append(f"  patterns: {_value(list(survey.patterns))}")
    if roles.text is None:
        lines += _comment(["DECIDE: no column holds text. Name the one that does."], "  ")
        lines.append("  text_column: text")
    else:
        if roles.other_texts:
            others = ", ".join(roles.other_texts)
            lines += _comment([f"Guessed. Other columns that hold text: {others}."], "  ")
        lines.append(f"  text_column: {_value(roles.text)}")
    lines += _id_lines(roles)
    if roles.source is None:
        lines.append("  source_column: null  # no column says; the shard's name is the source")
    else:
        lines.append(f"  source_column: {_value(roles.source)}")
    carried = {score.column: score.type for score in scores}
    if roles.domain is not None:
        carried = {roles.domain.name: "string"} | carried
    lines += _comment(
        [
            "Columns that are read besides the text, with their type: string, int, float or bool. "
            "Others may be added; they go through to the mix."
        ],
        "  ",
    )
    return [*lines, f"  carried_columns: {_value(carried)}"]


def _id_lines(roles: Roles) -> list[str]:
    if roles.id is not None:
        return [f"  id_column: {_value(roles.id)}  # no value occurs twice in the rows looked at"]
    reason = (
        f"values of {roles.repeated_id!r} occur more than once, and ids must be unique"
        if roles.repeated_id is not None
        else "no column holds a value of its own for every row"
    )
    return [
        *_comment([f"Ids are made from shard and row: {reason}."], "  "),
        "  id_column: null",
    ]


def _tokenizer(sizes: Sizes) -> list[str]:
    return [
        *_comment(
            [
                "Trained on a sample of the pool. A small vocabulary, since in a small proxy the "
                "embeddings are most of the parameters."
            ]
        ),
        f"tokenizer: {{vocab_size: {sizes.vocab_size}}}",
    ]


def _targets(
    targets: Sequence[TargetGuess], used: Sequence[TargetGuess], places: _Places
) -> list[str]:
    lines = _comment(
        [
            "What the mix should make a model good at: text that proxies are measured on. Half of "
            "each set is for criteria to learn from (`fit_share`)."
        ]
    )
    lines.append("targets:")
    if not used:
        folder = places.shown(places.targets)
        lines += _comment(
            [
                f"DECIDE: {folder} holds no file that can be used. Put one there (JSON lines or "
                "Parquet, some hundred rows at least) and name it. Rows with several fields need "
                'a `template`, as "{question}\\n\\n{answer}", or a `format`.'
            ],
            "  ",
        )
        return [*lines, f"  - {{name: target, path: {_value(f'{folder}/target.jsonl')}}}"]
    for guess in targets:
        options = {"name": guess.name, "path": places.shown(guess.path), **guess.options}
        line = f"- {_value(options)}"
        if guess in used:
            notes = [f"{_rows(guess)}; {guess.reason}."]
            if guess.n_rows < _FEW_ROWS:
                notes.append("DECIDE: so few rows measure little.")
            lines += _comment([" ".join(notes)], "  ")
            lines.append(f"  {line}")
        elif not guess.is_usable:
            lines += _comment([f"{places.shown(guess.path)} cannot be used: {guess.reason}"], "  ")
        else:
            why = (
                f"left out, to be evaluated on later: {guess.train_name} is the training part"
                if guess.train_name is not None
                else f"left out: the first {_MAX_TARGETS} files are enough to begin with"
            )
            lines += _comment([f"{_rows(guess)}; {why}."], "  ")
            lines.append(f"  # {line}")
    return lines


def _shards(number: int) -> str:
    return f"{number:,} shard{'' if number == 1 else 's'}"


def _rows(guess: TargetGuess) -> str:
    return f"{'about ' if guess.is_estimate else ''}{guess.n_rows:,} rows"


def _features(roles: Roles, scores: Sequence[Score], target: str, survey: PoolSurvey) -> list[str]:
    lines = ["features:", "  criteria:"]
    lines += _comment(["How much a document is like the target set."], "    ")
    lines.append(f"    - {{kind: target_fasttext, target: {target}}}")
    lines.append(f"    - {{kind: importance, target: {target}}}")
    lines += _comment(["Rules of Gopher and C4, for English."], "    ")
    lines.append("    - {kind: heuristics}")
    for score in roles.scores:
        lines += _score_lines(score, is_used=score in scores)
    if roles.domain is None:
        lines += _comment(
            [
                "No column has few enough different labels to be a domain, so that domains are "
                "found by clustering the texts."
            ],
            "  ",
        )
        return [*lines, f"  domains: {{kind: clusters, k: {_N_CLUSTERS}}}"]
    return [*lines, *_domain_lines(roles.domain, roles.other_domains, survey)]


def _score_lines(score: Score, *, is_used: bool) -> list[str]:
    criterion: dict[str, Any] = {
        "kind": "column",
        "name": re.sub(r"[^A-Za-z0-9_-]+", "_", score.column),
        "column": score.column,
        "larger_is_better": score.larger_is_better,
    }
    span = f"from {score.lowest:.4g} to {score.highest:.4g}"
    better = "larger" if score.larger_is_better else "smaller"
    if is_used:
        notes = [f"A score of the input, {span}. DECIDE: is {better} better? Guessed by its name."]
        return [*_comment(notes, "    "), f"    - {_value(criterion)}"]
    missing = "" if score.is_complete else ", but not every row has a value"
    notes = [
        f"A number, {span}{missing}. If it is a score, add it to carried_columns as {score.type}:"
    ]
    return [*_comment(notes, "    "), f"    # - {_value(criterion)}"]


def _domain_lines(domain: ColumnSurvey, others: Sequence[str], survey: PoolSurvey) -> list[str]:
    labels = [str(label) for label, _ in domain.distinct.most_common()]
    names = {label: _domain_name(label) for label in labels if label != UNKNOWN_DOMAIN}
    mapping = {label: name for label, name in names.items() if label != name}
    n_empty = survey.n_rows_read - domain.n_values
    notes = [
        "Guessed: these are the labels of the rows looked at, the most frequent first. A document "
        f"with another label, or with none ({n_empty / survey.n_rows_read:.0%} of the rows), is "
        f"{UNKNOWN_DOMAIN!r}."
    ]
    if others:
        notes.append(f"Other columns that could give the domain: {', '.join(others)}.")
    lines = ["  domains:", *_comment(notes, "    "), "    kind: column"]
    lines += [f"    column: {_value(domain.name)}", "    names:"]
    lines += [f"      - {_value(name)}" for name in dict.fromkeys(names.values())]
    if mapping:
        lines += ["    # Labels that are no names (letters, digits, _ and -) are mapped to one."]
        lines += ["    mapping:"]
        lines += [f"      {_value(label)}: {_value(name)}" for label, name in mapping.items()]
    return lines


def _parameters(sizes: Sizes, n_domains: int) -> list[str]:
    proxies = [
        f"One proxy is trained for each of {sizes.n_proxies} thetas: a theta has {sizes.n_entries} "
        f"entries, for {n_domains} domains, and the search needs about one proxy for each entry."
    ]
    window = (
        "The widest sampling window is the paper's 0.1."
        if sizes.omega_max <= 0.1
        else f"A pool of {_count(sizes.n_tokens)} tokens needs wider sampling windows than the "
        "paper's 0.1, or a mix would repeat a handful of documents."
    )
    pool = (
        "The proxies are trained on samples of a part of the pool, which is kept as tokens."
        if sizes.pool_tokens < sizes.n_tokens * 0.9
        else "The proxies are trained on samples of the whole pool, since it is small."
    )
    return [
        *_comment([*proxies, window]),
        f"parameters: {{n: {sizes.n_proxies}, omega_max: {sizes.omega_max}}}",
        "",
        *_comment([pool + " How they are trained has defaults that suit their size."]),
        f"proxies: {{pool_tokens: {sizes.pool_tokens}}}",
    ]


def _search(used: Sequence[TargetGuess]) -> list[str]:
    names = [guess.name for guess in used] or ["target"]
    objective = {
        "name": "all" if len(names) > 1 else names[0],
        "targets": dict.fromkeys(names, 1.0),
    }
    shown = _value(objective)
    lines = ["search:"]
    if len(names) > 1:
        lines += _comment(
            ["The mean of the losses on all targets. DECIDE: weights, or objectives of their own."],
            "  ",
        )
    lines += ["  objectives:", f"    - {shown}"]
    lines += _comment(
        ["Some hundred proxies are too few for LightGBM alone; it is compared with."], "  "
    )
    return [
        *lines,
        "  regressor: ensemble",
        "  compared: [lightgbm, svr_linear, svr_rbf, ridge_log, gaussian_process]",
        "  held_out_share: 0.2  # of the proxies, on which regressors are judged",
        "  strategy: cma_es",
        "",
        f"mix: {{objective: {objective['name']}}}",
    ]


def _learned_from(used: Sequence[TargetGuess]) -> str:
    """The target that criteria learn from: instructions where there are some, else the largest."""
    if not used:
        return "target"
    best = max(used, key=lambda g: (bool(_INSTRUCTIONS.search(g.name)), g.n_rows))
    return best.name


def _text_bytes(survey: PoolSurvey, roles: Roles) -> int:
    if roles.text is None:
        return 0
    column = survey.columns[roles.text]
    return round(column.n_characters / survey.n_rows_read * survey.n_rows)


def _domain_name(label: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", label).strip("_") or "label"
    return name if name[0].isalpha() else f"domain_{name}"


def _count(number: int) -> str:
    for unit, name in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k")):
        if number >= unit:
            return f"{number / unit:.3g}{name}"
    return str(number)


def _value(value: Any) -> str:
    """A value as YAML, on one line."""
    text = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=True, width=float("inf"), sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("\n...")


class _Dumper(yaml.SafeDumper):
    """Writes line ends in strings as backslash and n, so that a value stays on its line."""


def _write_string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _write_string)


def _comment(sentences: Iterable[str], indent: str = "") -> list[str]:
    """Comment lines, each sentence wrapped on its own."""
    lines = []
    for sentence in sentences:
        line = f"{indent}#"
        for word in sentence.split():
            if len(line) + len(word) + 1 > _WIDTH and line != f"{indent}#":
                lines.append(line)
                line = f"{indent}#"
            line += f" {word}"
        lines.append(line)
    return lines
