"""The kinds of quality criteria. A new kind is one line here and one module."""

from quadmix_assets.registry import Registry

_PACKAGE = "quadmix_assets.features.criteria"

CRITERIA = Registry(
    "criterion",
    {
        "target_fasttext": f"{_PACKAGE}.target_fasttext:TargetFasttextSettings",
        "importance": f"{_PACKAGE}.importance:ImportanceSettings",
        "heuristics": f"{_PACKAGE}.heuristics:HeuristicsSettings",
        "column": f"{_PACKAGE}.column:ColumnCriterionSettings",
        "fineweb_edu": f"{_PACKAGE}.fineweb_edu:FinewebEduSettings",
        "dclm": f"{_PACKAGE}.dclm:DclmSettings",
        "askllm": f"{_PACKAGE}.askllm:AskllmSettings",
        "perplexity": f"{_PACKAGE}.perplexity:PerplexitySettings",
    },
)
