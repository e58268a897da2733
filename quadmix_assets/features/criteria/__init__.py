"""Quality criteria: each gives a document one raw score, larger is better."""

from pathlib import Path

from upath import UPath

from quadmix_assets.features.criteria.base import Criterion
from quadmix_assets.features.criteria.column import ColumnCriterion
from quadmix_assets.features.criteria.heuristics import HeuristicsCriterion
from quadmix_assets.features.criteria.importance import ImportanceCriterion
from quadmix_assets.features.criteria.target_fasttext import TargetFasttextCriterion
from quadmix_assets.settings import (
    ColumnCriterionSettings,
    CriterionSettings,
    HeuristicsSettings,
    ImportanceSettings,
    TargetFasttextSettings,
)

__all__ = [
    "ColumnCriterion",
    "Criterion",
    "HeuristicsCriterion",
    "ImportanceCriterion",
    "TargetFasttextCriterion",
    "make_criterion",
]


def make_criterion(settings: CriterionSettings, folder: Path | UPath | None = None) -> Criterion:
    """The criterion that `settings` describe: not fitted yet, or loaded from `folder`.

    Raises:
        FileNotFoundError: `folder` holds no saved criterion.
        StaleModelError: it was fitted with other settings or by other code.
    """
    cls = _class_of(settings)
    return cls(settings) if folder is None else cls.load(settings, folder)


def _class_of(settings: CriterionSettings) -> type[Criterion]:
    match settings:
        case TargetFasttextSettings():
            return TargetFasttextCriterion
        case ImportanceSettings():
            return ImportanceCriterion
        case HeuristicsSettings():
            return HeuristicsCriterion
        case ColumnCriterionSettings():
            return ColumnCriterion
