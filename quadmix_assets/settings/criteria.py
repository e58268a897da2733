"""Settings of the quality criteria."""

from typing import Annotated, Literal

from pydantic import Field

from quadmix_assets.settings.base import Name, PositiveInt, Section


class _CriterionSettings(Section):
    name: Name


class TargetFasttextSettings(_CriterionSettings):
    """DCLM's recipe: a fastText classifier of target-like text against pool text."""

    kind: Literal["target_fasttext"]
    name: Name = "target_fasttext"
    target: Name
    n_pool_documents: PositiveInt = 10_000
    epochs: PositiveInt = 5
    dimension: PositiveInt = 32
    n_word_ngrams: PositiveInt = 2
    learning_rate: Annotated[float, Field(gt=0)] = 0.1
    n_buckets: PositiveInt = 200_000


class ImportanceSettings(_CriterionSettings):
    """DSIR: log importance ratio of hashed unigrams and bigrams, per token."""

    kind: Literal["importance"]
    name: Name = "importance"
    target: Name
    n_pool_documents: PositiveInt = 20_000
    n_buckets: PositiveInt = 10_000


class HeuristicsSettings(_CriterionSettings):
    """One score from the quality rules of Gopher and C4."""

    kind: Literal["heuristics"]
    name: Name = "heuristics"


class ColumnCriterionSettings(_CriterionSettings):
    """A score that the input brings in one of its columns."""

    kind: Literal["column"]
    column: str
    larger_is_better: bool = True


class FinewebEduSettings(_CriterionSettings):
    """FineWeb-Edu's classifier of educational value: an encoder with one regression output."""

    kind: Literal["fineweb_edu"]
    name: Name = "fineweb_edu"
    model: str = "HuggingFaceFW/fineweb-edu-classifier"
    revision: str = "284663cbb2dabf9bda30d8f8cc49601251ee1631"
    max_tokens: PositiveInt = 512


class DclmSettings(_CriterionSettings):
    """DCLM's published fastText classifier."""

    kind: Literal["dclm"]
    name: Name = "dclm"
    model: str = "mlfoundations/fasttext-oh-eli5"
    revision: str = "cd8b714a90f2dbcd3b02cf5fc972e5d7c7f4f107"
    file: str = "openhermes_reddit_eli5_vs_rw_v2_bigram_200k_train.bin"
    label: str = Field(default="hq", description="the label whose probability is the score")


class AskllmSettings(_CriterionSettings):
    """AskLLM: an instruction-tuned model's P(yes) that a document is worth training on."""

    kind: Literal["askllm"]
    name: Name = "askllm"
    model: str = "google/flan-t5-xl"
    revision: str = "7d6315df2c2fb742f0f5b556879d730926ca9001"
    max_tokens: PositiveInt = Field(
        default=1024,
        description="prompt and document; the document is cut to fit, the prompt never",
    )
    prompt: str | None = Field(
        default=None, description="text file with a line {document}; null takes the built-in one"
    )
    yes: Annotated[tuple[str, ...], Field(min_length=1)] = ("yes", "Yes")
    no: Annotated[tuple[str, ...], Field(min_length=1)] = ("no", "No")
    chat_template: Literal["auto", "always", "never"] = "auto"


class PerplexitySettings(_CriterionSettings):
    """A causal language model's mean loss per token, negated."""

    kind: Literal["perplexity"]
    name: Name = "perplexity"
    model: str = "openai-community/gpt2"
    revision: str = "607a30d783dfa663caf39e06633721c8d4cfcd7e"
    max_tokens: PositiveInt = 1024


CriterionSettings = Annotated[
    TargetFasttextSettings
    | ImportanceSettings
    | HeuristicsSettings
    | ColumnCriterionSettings
    | FinewebEduSettings
    | DclmSettings
    | AskllmSettings
    | PerplexitySettings,
    Field(discriminator="kind"),
]
