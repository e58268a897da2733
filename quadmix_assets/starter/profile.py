"""Composes a starter profile: YAML, with the reason of every choice as a comment."""

import re
from collections.abc import Sequence
from pathlib import Path

from upath import UPath

from quadmix_assets.starter.evidence_section import evidence_section
from quadmix_assets.starter.feature_section import N_CLUSTERS, features_section
from quadmix_assets.starter.input_sections import (
    MAX_TARGETS,
    Places,
    corpus_section,
    head,
    targets_section,
    tokenizer_section,
)
from quadmix_assets.starter.roles import Roles, guess_roles
from quadmix_assets.starter.sizes import Sizes, sizes_of
from quadmix_assets.starter.survey import PoolSurvey
from quadmix_assets.starter.targets import TargetGuess
from quadmix_assets.starter.text import comment, shown_count, yaml_value

_INSTRUCTIONS = re.compile(r"instruct|hermes|chat|sft|alpaca|dialog", re.I)


def starter_profile(
    survey: PoolSurvey, targets: Sequence[TargetGuess], *, root: Path, target_folder: UPath
) -> str:
    """The text of a profile.

    Args:
        survey: of the pool.
        targets: a guess for each file of the target folder.
        root: the folder that relative paths of the profile start from.
        target_folder: where target sets are expected.
    """
    places = Places(root, target_folder)
    roles = guess_roles(list(survey.columns.values()), survey.n_rows_read)
    used = [guess for guess in targets if guess.is_usable and guess.train_name is None]
    used = used[:MAX_TARGETS]
    scores = [score for score in roles.scores if score.is_named_so and score.is_complete]
    n_domains = (N_CLUSTERS if roles.domain is None else len(roles.domain.distinct)) + 1
    sizes = sizes_of(_text_bytes(survey, roles), 3 + len(scores), n_domains)
    sections = [
        head(survey, sizes),
        corpus_section(survey, roles, scores, places),
        tokenizer_section(sizes),
        targets_section(targets, used, places),
        features_section(roles, scores, _learned_from(used), survey),
        _parameters(sizes, n_domains),
        _search(used),
        evidence_section(targets, places),
    ]
    return "\n".join("\n".join(lines) + "\n" for lines in sections)


def _parameters(sizes: Sizes, n_domains: int) -> list[str]:
    proxies = [
        f"One proxy is trained for each of {sizes.n_proxies} thetas: a theta has {sizes.n_entries} "
        f"entries, for {n_domains} domains, and the search needs about one proxy for each entry. "
        f"Some {sizes.n_measuring} more measure the noise, choose theta* and check it."
    ]
    window = (
        "The upper bound of omega is the paper's 0.1."
        if sizes.omega_max <= 0.1
        else f"A pool of {shown_count(sizes.n_tokens)} tokens needs a larger omega than the "
        "paper's 0.1, or a mix would repeat a handful of documents."
    )
    pool = (
        "The proxies are trained on samples of the proxy pool, a tokenised sample of the pool."
        if sizes.pool_tokens < sizes.n_tokens * 0.9
        else "The proxies are trained on samples of the whole pool, since it is small."
    )
    return [
        *comment([*proxies, window]),
        f"parameters: {{n: {sizes.n_proxies}, omega_max: {sizes.omega_max}}}",
        "",
        *comment([pool + " The default training recipe suits their size."]),
        f"proxies: {{pool_tokens: {sizes.pool_tokens}}}",
    ]


def _search(used: Sequence[TargetGuess]) -> list[str]:
    names = [guess.name for guess in used] or ["target"]
    objective = {
        "name": "all" if len(names) > 1 else names[0],
        "targets": dict.fromkeys(names, 1.0),
    }
    shown = yaml_value(objective)
    lines = ["search:"]
    if len(names) > 1:
        lines += comment(
            ["The mean of the losses on all targets. DECIDE: other weights, or more objectives."],
            "  ",
        )
    lines += ["  objectives:", f"    - {shown}"]
    return [
        *lines,
        "  regressor: auto",
        "  compared: [lightgbm, svr_linear, svr_rbf, ridge_log, gaussian_process]",
        "  held_out_share: 0.2  # of the proxies, to evaluate regressors on",
        "  strategy: cma_es",
        "",
        *comment(
            ["The mixes; the first is in production. DECIDE: others to compare it with, see mixes."]
        ),
        "mixes:",
        f"  - {{method: quadmix, objective: {objective['name']}}}",
    ]


def _learned_from(used: Sequence[TargetGuess]) -> str:
    """The target set that criteria are fitted to: the largest of instructions, else the largest."""
    if not used:
        return "target"
    best = max(used, key=lambda g: (bool(_INSTRUCTIONS.search(g.name)), g.n_rows))
    return best.name


def _text_bytes(survey: PoolSurvey, roles: Roles) -> int:
    if roles.text is None:
        return 0
    column = survey.columns[roles.text]
    return round(column.n_characters / survey.n_rows_read * survey.n_rows)
