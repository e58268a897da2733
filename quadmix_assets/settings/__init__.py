"""Typed settings: one YAML file (a profile), validated when it is loaded.

A profile is chosen by name (`profiles/<name>.yaml`) or by path. Single keys can be overridden by
environment variables: `QUADMIX_` + the key's path, levels joined by two underscores, for example
`QUADMIX_PROXIES__BATCH_SIZE=16`. Nothing else is read from the environment.
"""

from quadmix_assets.settings.constraints import ConstraintsSettings, DomainConstraintSettings
from quadmix_assets.settings.corpus import (
    CorpusSettings,
    PlantedSettings,
    TargetSettings,
    TokenizerSettings,
)
from quadmix_assets.settings.criteria import CriterionSettings
from quadmix_assets.settings.domains import UNKNOWN_DOMAIN, DomainsSettings, LabelledExamples
from quadmix_assets.settings.errors import SettingsError
from quadmix_assets.settings.features import (
    FeaturesSettings,
    InferenceSettings,
    NormalizerSettings,
)
from quadmix_assets.settings.load import (
    DEFAULT_PROFILE,
    PROFILE_VARIABLE,
    PROFILES_FOLDER,
    load_settings,
)
from quadmix_assets.settings.parameters import ParametersSettings
from quadmix_assets.settings.proxies import ProxiesSettings
from quadmix_assets.settings.root import OVERRIDE_PREFIX, Settings
from quadmix_assets.settings.search import (
    AutomationSettings,
    ComparisonSettings,
    ExportSettings,
    MixSettings,
    ObjectiveSettings,
    RefineSettings,
    RegressorKind,
    SearchSettings,
)
from quadmix_assets.settings.training import TrainingSettings

__all__ = [
    "DEFAULT_PROFILE",
    "OVERRIDE_PREFIX",
    "PROFILES_FOLDER",
    "PROFILE_VARIABLE",
    "UNKNOWN_DOMAIN",
    "AutomationSettings",
    "ComparisonSettings",
    "ConstraintsSettings",
    "CorpusSettings",
    "CriterionSettings",
    "DomainConstraintSettings",
    "DomainsSettings",
    "ExportSettings",
    "FeaturesSettings",
    "InferenceSettings",
    "LabelledExamples",
    "MixSettings",
    "NormalizerSettings",
    "ObjectiveSettings",
    "ParametersSettings",
    "PlantedSettings",
    "ProxiesSettings",
    "RefineSettings",
    "RegressorKind",
    "SearchSettings",
    "Settings",
    "SettingsError",
    "TargetSettings",
    "TokenizerSettings",
    "TrainingSettings",
    "load_settings",
]
