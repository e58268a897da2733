"""Quality criteria: each gives a document one raw score, larger is better."""

from pathlib import Path

from upath import UPath

from quadmix_assets.features.criteria.askllm import AskllmCriterion
from quadmix_assets.features.criteria.base import Criterion
from quadmix_assets.features.criteria.column import ColumnCriterion
from quadmix_assets.features.criteria.dclm import DclmCriterion
from quadmix_assets.features.criteria.fineweb_edu import FinewebEduCriterion
from quadmix_assets.features.criteria.heuristics import HeuristicsCriterion
from quadmix_assets.features.criteria.importance import ImportanceCriterion
from quadmix_assets.features.criteria.perplexity import PerplexityCriterion
from quadmix_assets.features.criteria.target_fasttext import TargetFasttextCriterion
from quadmix_assets.features.inference import Runtime
from quadmix_assets.settings import (
    AskllmSettings,
    ColumnCriterionSettings,
    CriterionSettings,
    DclmSettings,
    FinewebEduSettings,
    HeuristicsSettings,
    ImportanceSettings,
    PerplexitySettings,
    TargetFasttextSettings,
)

__all__ = [
    "AskllmCriterion",
    "ColumnCriterion",
    "Criterion",
    "DclmCriterion",
    "FinewebEduCriterion",
    "HeuristicsCriterion",
    "ImportanceCriterion",
    "PerplexityCriterion",
    "TargetFasttextCriterion",
    "make_criterion",
]


def make_criterion(
    settings: CriterionSettings,
    folder: Path | UPath | None = None,
    runtime: Runtime | None = None,
) -> Criterion:
    """The criterion that `settings` describe: not fitted yet, or loaded from `folder`.

    Raises:
        FileNotFoundError: `folder` holds no saved criterion.
        StaleModelError: it was fitted with other settings, by other code, or from another
            checkpoint.
        CheckpointError: the checkpoint that the settings name is not there.
    """
    cls = _class_of(settings)
    if folder is None:
        return cls(settings, runtime)
    return cls.load(settings, folder, runtime)


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
        case FinewebEduSettings():
            return FinewebEduCriterion
        case DclmSettings():
            return DclmCriterion
        case AskllmSettings():
            return AskllmCriterion
        case PerplexitySettings():
            return PerplexityCriterion
