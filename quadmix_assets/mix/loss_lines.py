"""What the summary says of losses: theta* beside what it has to beat.

Written for readers who know neither the graph nor its words.
"""

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np

from quadmix_assets.corpus.target_sets import SEARCH
from quadmix_assets.outputs import OPTIMUM_CHECK
from quadmix_assets.proxies.evidence import read_evidence
from quadmix_assets.search.candidates import QUADMIX_PAPER
from quadmix_assets.search.intervals import finite_or_none
from quadmix_assets.search.objective import objective_losses, objective_named
from quadmix_assets.search.optimum import read_optimum
from quadmix_assets.search.optimum_check import (
    BEST_OF_FIRST_ROUND,
    THETA_STAR,
    UNIFORM,
    CheckResult,
    read_check,
)
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store

_WIDTH = 100
_LEAST_NAME = 34
_RANDOM = "random documents"


def loss_lines(settings: Settings, store: Store, manifest: Mapping[str, Any]) -> list[str]:
    """Losses of the mix's objective: of theta* and of what it is compared with.

    Before `optimum_check` has been made, what is known of theta* without it. Of methods without a
    theta no losses are known.
    """
    if "theta" not in manifest["rule"]:
        return []
    objective, prediction = manifest["objective"], manifest["prediction"] or {}
    lines = []
    # Mixes of theta* name the candidate that it was; others have a theta beside it.
    if "candidate" not in prediction:
        if "predicted" in prediction:
            words = f"theta of this mix, predicted for {objective!r}"
            lines = [_line(words, prediction["predicted"]), ""]
        prediction = read_optimum(store, settings, objective)[1]
    if store.table_path(OPTIMUM_CHECK).exists():
        return [*lines, *check_lines(read_check(store, settings, objective), prediction)]
    return [*lines, *_swarm_lines(settings, store, objective, prediction)]


def check_lines(check: CheckResult, prediction: Mapping[str, Any]) -> list[str]:
    """What optimum_check measured of theta* and of what it has to beat, as a table.

    Args:
        check: of the mix's objective.
        prediction: of theta*, as the verification has it.
    """
    shown = _compared(check)
    rows = [_row(check, sample, name) for sample, name in shown.items()]
    width = max(_LEAST_NAME, *(len(row[0]) + 4 for row in rows))
    above = ("", "search part", "search part", "proof part", "theta* is")
    head = ("", "predicted", "measured", "measured", "lower by")
    same = [name for sample, name in shown.items() if sample in check.same_as_theta_star]
    seeds = check.mean(THETA_STAR).seeds
    words = (
        f"objective {check.objective.name!r} in {check.objective.unit}, lower is better: small"
        f" models trained on mixes of equal size ({round(check.tokens, -3):,.0f} tokens), mean of"
        f" {seeds} seeds. theta* was chosen on the search part of the targets; the proof part is"
        " for this table alone. ± is the 90 % interval of a mean."
    )
    lines = [
        *textwrap.wrap(words, _WIDTH, break_on_hyphens=False),
        "",
        *(_columns(row, width) for row in (above, head, *rows)),
        "",
    ]
    notes = [f"theta* is {prediction['candidate']!r}, which won the verification"]
    notes += [f"it is the same as {name}" for name in same]
    share = _share_of_criterion(check)
    if share is not None:
        notes.append(f"{_alone(check)} has {share:.0%} of the gain of theta* over {_RANDOM}")
    return [*lines, *textwrap.wrap("; ".join(notes) + ".", _WIDTH, break_on_hyphens=False), ""]


def _compared(check: CheckResult) -> dict[str, str]:
    """The samples of the table with their names, theta* first and random documents last."""
    wanted = {
        THETA_STAR: THETA_STAR,
        QUADMIX_PAPER: "the paper's search (quadmix_paper)",
        BEST_OF_FIRST_ROUND: f"{BEST_OF_FIRST_ROUND} of proxies",
    }
    if check.best_criterion is not None:
        wanted[check.best_criterion] = f"{_alone(check)}, the best criterion"
    wanted[UNIFORM] = _RANDOM
    there = (*check.on_proof, *check.same_as_theta_star)
    return {sample: name for sample, name in wanted.items() if sample in there}


def _alone(check: CheckResult) -> str:
    return f"{(check.best_criterion or '').removeprefix('best by ')} alone"


def _row(check: CheckResult, sample: str, name: str) -> tuple[str, ...]:
    if sample in check.same_as_theta_star:
        sample, gain = THETA_STAR, "the same"
    else:
        gain = "" if sample == THETA_STAR else check.gain_over(sample).gain.brief
    predicted = check.predicted.get(sample)
    search = check.mean(sample, SEARCH)
    return (
        name,
        "" if predicted is None else f"{predicted:.3f}",
        f"{search.value:.3f}" if search.seeds else "failed",
        check.mean(sample).brief,
        gain,
    )


def _columns(cells: tuple[str, ...], width: int) -> str:
    name, predicted, search, proof, gain = cells
    return f"  {name:{width}}{predicted:>11}{search:>13}{proof:>15}{gain:>16}".rstrip()


def _share_of_criterion(check: CheckResult) -> float | None:
    """The best single criterion's share of what theta* gains over random documents, on proof."""
    criterion = check.best_criterion
    if criterion is None or UNIFORM not in check.on_proof:
        return None
    gain = check.gain_over(UNIFORM).gain.value
    share = 1 - check.gain_over(criterion).gain.value / gain if gain > 0 else np.nan
    return finite_or_none(share)


def _swarm_lines(
    settings: Settings, store: Store, name: str, prediction: Mapping[str, Any]
) -> list[str]:
    """theta*'s prediction beside the swarm, before it was compared with anything."""
    objective = objective_named(settings.objectives, name)
    losses = objective_losses(read_evidence(store, settings).metrics, objective)
    return [
        f"objective {objective.name!r} in {prediction['unit']}, lower is better:",
        _line(
            f"theta* ({prediction['candidate']}), predicted",
            prediction["predicted_for_other_seeds"],
        ),
        _line(f"best of {len(losses)} proxies of the swarm", losses.min()),
        _line("mean of the proxies of the swarm", losses.mean()),
    ]


def _line(what: str, loss: float) -> str:
    return f"  {what:50}{loss:>8.4f}"
