"""The section `features` of a starter profile: quality criteria and domains."""

import re
from collections.abc import Sequence
from typing import Any

from quadmix_assets.settings import UNKNOWN_DOMAIN
from quadmix_assets.starter.roles import Roles, Score
from quadmix_assets.starter.survey import ColumnSurvey, PoolSurvey
from quadmix_assets.starter.text import comment, yaml_value

N_CLUSTERS = 16


def features_section(
    roles: Roles, scores: Sequence[Score], target: str, survey: PoolSurvey
) -> list[str]:
    """The criteria, fitted to the target set `target`, and the domains.

    Args:
        roles: of the pool's columns.
        scores: the scores of `roles` that become criteria; the others become comments.
        target: name of a target set.
        survey: of the pool.
    """
    lines = ["features:", "  criteria:"]
    lines += comment(["How similar a document is to the target set."], "    ")
    lines.append(f"    - {{kind: target_fasttext, target: {target}}}")
    lines.append(f"    - {{kind: importance, target: {target}}}")
    lines += comment(["The rules of Gopher and C4, for English."], "    ")
    lines.append("    - {kind: heuristics}")
    for score in roles.scores:
        lines += _score_lines(score, is_used=score in scores)
    if roles.domain is None:
        lines += comment(
            [
                "No column has few enough different labels to be a domain, so that domains are "
                "found by clustering the texts."
            ],
            "  ",
        )
        return [*lines, f"  domains: {{kind: clusters, k: {N_CLUSTERS}}}"]
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
        return [*comment(notes, "    "), f"    - {yaml_value(criterion)}"]
    missing = "" if score.is_complete else ", but not every row has a value"
    notes = [
        f"A number, {span}{missing}. If it is a score, add it to carried_columns as {score.type}:"
    ]
    return [*comment(notes, "    "), f"    # - {yaml_value(criterion)}"]


def _domain_lines(domain: ColumnSurvey, others: Sequence[str], survey: PoolSurvey) -> list[str]:
    labels = [str(label) for label, _ in domain.distinct.most_common()]
    names = _domain_names([label for label in labels if label != UNKNOWN_DOMAIN])
    mapping = {label: name for label, name in names.items() if label != name}
    n_empty = survey.n_rows_read - domain.n_values
    notes = [
        "Guessed: these are the labels of the inspected rows, the most frequent first. A document "
        f"with another label, or with none ({n_empty / survey.n_rows_read:.0%} of the rows), is "
        f"{UNKNOWN_DOMAIN!r}."
    ]
    if others:
        notes.append(f"Other columns that could give the domain: {', '.join(others)}.")
    lines = ["  domains:", *comment(notes, "    "), "    kind: column"]
    lines += [f"    column: {yaml_value(domain.name)}", "    names:"]
    lines += [f"      - {yaml_value(name)}" for name in names.values()]
    if mapping:
        lines += ["    # Labels that are not valid names (letters, digits, _ and -) are mapped."]
        lines += ["    mapping:"]
        lines += [
            f"      {yaml_value(label)}: {yaml_value(name)}" for label, name in mapping.items()
        ]
    return lines


def _domain_names(labels: Sequence[str]) -> dict[str, str]:
    """A valid and unique name for each label: the label itself where it is a valid name."""
    names = {label: label for label in labels if label == _domain_name(label)}
    taken = set(names.values()) | {UNKNOWN_DOMAIN}
    for label in labels:
        name = unique = names.get(label, _domain_name(label))
        number = 2
        while label not in names and unique in taken:
            unique, number = f"{name}_{number}", number + 1
        names[label] = unique
        taken.add(unique)
    return {label: names[label] for label in labels}


def _domain_name(label: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", label).strip("_") or "label"
    return name if name[0].isalpha() else f"domain_{name}"
