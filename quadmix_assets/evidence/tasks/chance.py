"""Whether a model answers a task better than by guessing."""

import math
from collections.abc import Mapping
from typing import Any

ACC, ACC_NORM, EXACT_MATCH = "acc", "acc_norm", "exact_match"
_SHARES = (ACC, ACC_NORM, EXACT_MATCH)
_N_ERRORS = 2.0


def at_chance(row: Mapping[str, Any]) -> bool:
    """Whether a result cannot be told from guessing: not two standard errors above `chance`.

    The standard error of a share of right answers is at least that of guessing, so that few
    questions that all went well, or none that did, are no proof.

    Args:
        row: of results, with the columns metric, value, standard_error, n and chance; chance is
            not null.
    """
    chance = float(row["chance"])
    error = float(row["standard_error"] or 0.0)
    if row["metric"] in _SHARES:
        error = max(error, math.sqrt(chance * (1 - chance) / row["n"]))
    return float(row["value"]) - chance <= _N_ERRORS * error
