"""How well predictions choose, as tables on `regressor`."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from quadmix_assets.defs.metadata import readable_table
from quadmix_assets.proxies.evidence import Evidence
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.choice_metrics import NEAR_OPTIMUM, choice_metrics, table_of_choice
from quadmix_assets.search.fit import TargetFit
from quadmix_assets.search.objective import Objective, objective_losses
from quadmix_assets.settings import Settings


def choice_metadata(
    settings: Settings, evidence: Evidence, fitted: Mapping[str, TargetFit]
) -> dict[str, Any]:
    """Errors per round and near the optimum, of target sets and objectives; a line if too few."""
    predicted: dict[str, FloatArray] = {
        target: fit.out_of_fold for target, fit in fitted.items() if fit.out_of_fold is not None
    }
    if len(predicted) < len(fitted):
        return {"choice": dg.MetadataValue.md("unknown: too few proxies for five folds")}
    targets = {
        target: choice_metrics(values, fitted[target].losses, evidence.rounds)
        for target, values in predicted.items()
    }
    metadata: dict[str, Any] = {"choice": readable_table(table_of_choice(targets, "nats"))}
    for wanted in settings.objectives:
        objective = Objective.of(wanted, evidence.metrics)
        found = choice_metrics(
            objective.value(predicted),
            objective_losses(evidence.metrics, wanted),
            evidence.rounds,
        )
        table = table_of_choice({wanted.name: found}, objective.unit.replace(" ", "_"))
        metadata[f"choice_{wanted.name}"] = readable_table(table)
        metadata |= {
            f"{name}_near_optimum_{wanted.name}": found[NEAR_OPTIMUM][name].value
            for name in ("spearman", "regret_at_1")
        }
    return metadata
