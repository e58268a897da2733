"""Typed settings: one YAML file (a profile), validated when it is loaded.

A profile is chosen by name (one of `profiles/` in this package) or by path. Single keys can be
overridden by environment variables: `QUADMIX_` + the key's path, levels joined by two underscores,
for example `QUADMIX_PROXIES__BATCH_SIZE=16`. Nothing else is read from the environment, but for
`QUADMIX_FROZEN`, in which a process hands its settings to its children (`frozen.py`).
"""

from quadmix_assets.settings.acquisition import AcquisitionSettings
from quadmix_assets.settings.automation import AutomationSettings
from quadmix_assets.settings.changes import changed_settings
from quadmix_assets.settings.constraints import ConstraintsSettings, DomainConstraintSettings
from quadmix_assets.settings.corpus import CorpusSettings, PlantedSettings
from quadmix_assets.settings.criteria import CriterionSettings
from quadmix_assets.settings.domains import UNKNOWN_DOMAIN, DomainsSettings, LabelledExamples
from quadmix_assets.settings.errors import SettingsError
from quadmix_assets.settings.evidence import (
    EvidenceSettings,
    HeldOutSettings,
    TaskSettings,
    TrigramSettings,
)
from quadmix_assets.settings.execution import ExecutionSettings, NeedsSettings
from quadmix_assets.settings.features import (
    FeaturesSettings,
    InferenceSettings,
    NormalizerSettings,
)
from quadmix_assets.settings.frozen import frozen_settings
from quadmix_assets.settings.load import (
    DEFAULT_PROFILE,
    FROZEN_VARIABLE,
    PROFILE_VARIABLE,
    PROFILES_FOLDER,
    chosen_profile,
    load_settings,
)
from quadmix_assets.settings.mix import ExportSettings, MixSettings
from quadmix_assets.settings.mixes import NamedMix
from quadmix_assets.settings.objectives import ObjectiveSettings
from quadmix_assets.settings.overrides import with_search
from quadmix_assets.settings.parameters import ParametersSettings
from quadmix_assets.settings.proxies import ProxiesSettings
from quadmix_assets.settings.refinement import RefineSettings
from quadmix_assets.settings.regressor import RegressorSettings
from quadmix_assets.settings.root import OVERRIDE_PREFIX, Settings
from quadmix_assets.settings.search import SearchSettings
from quadmix_assets.settings.strategy import StrategySettings
from quadmix_assets.settings.targets import TargetSettings, TextSetSettings
from quadmix_assets.settings.tokenizer import TokenizerSettings
from quadmix_assets.settings.training import RecipeSettings, TrainingSettings
from quadmix_assets.settings.used import (
    assets_of_mixes,
    assets_with_settings,
    evidence_of_mixes,
    settings_hash,
    settings_used,
)
from quadmix_assets.settings.verification import FidelitySettings, HeatSettings, VerifySettings

__all__ = [
    "DEFAULT_PROFILE",
    "FROZEN_VARIABLE",
    "OVERRIDE_PREFIX",
    "PROFILES_FOLDER",
    "PROFILE_VARIABLE",
    "UNKNOWN_DOMAIN",
    "AcquisitionSettings",
    "AutomationSettings",
    "ConstraintsSettings",
    "CorpusSettings",
    "CriterionSettings",
    "DomainConstraintSettings",
    "DomainsSettings",
    "EvidenceSettings",
    "ExecutionSettings",
    "ExportSettings",
    "FeaturesSettings",
    "FidelitySettings",
    "HeatSettings",
    "HeldOutSettings",
    "InferenceSettings",
    "LabelledExamples",
    "MixSettings",
    "NamedMix",
    "NeedsSettings",
    "NormalizerSettings",
    "ObjectiveSettings",
    "ParametersSettings",
    "PlantedSettings",
    "ProxiesSettings",
    "RecipeSettings",
    "RefineSettings",
    "RegressorSettings",
    "SearchSettings",
    "Settings",
    "SettingsError",
    "StrategySettings",
    "TargetSettings",
    "TaskSettings",
    "TextSetSettings",
    "TokenizerSettings",
    "TrainingSettings",
    "TrigramSettings",
    "VerifySettings",
    "assets_of_mixes",
    "assets_with_settings",
    "changed_settings",
    "chosen_profile",
    "evidence_of_mixes",
    "frozen_settings",
    "load_settings",
    "settings_hash",
    "settings_used",
    "with_search",
]
