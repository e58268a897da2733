"""Settings of the features: quality criteria, domains, normaliser."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from quadmix_assets.settings.base import Name, PositiveInt, Section, Share

UNKNOWN_DOMAIN = "unknown"


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


CriterionSettings = Annotated[
    TargetFasttextSettings | ImportanceSettings | HeuristicsSettings | ColumnCriterionSettings,
    Field(discriminator="kind"),
]


class FasttextDomainsSettings(Section):
    """A supervised fastText classifier, trained inside the graph on labelled examples."""

    kind: Literal["fasttext"]
    labels: str | None = Field(
        default=None,
        description="JSONL or Parquet with a text and a domain column; null takes the planted one",
    )
    text_column: str = "text"
    domain_column: str = "domain"
    names: tuple[Name, ...]
    epochs: PositiveInt = 15
    dimension: PositiveInt = 32
    n_word_ngrams: PositiveInt = 1
    learning_rate: Annotated[float, Field(gt=0)] = 0.5
    n_buckets: PositiveInt = 200_000


class ColumnDomainsSettings(Section):
    """A label that the input brings; what does not map to a name goes to `unknown`."""

    kind: Literal["column"]
    column: str
    names: tuple[Name, ...]
    mapping: dict[str, str] = Field(
        default_factory=dict, description="input label -> name; labels that are names need no entry"
    )

    @model_validator(mode="after")
    def _mapping_names_known_domains(self) -> "ColumnDomainsSettings":
        known = {*self.names, UNKNOWN_DOMAIN}
        for label, domain in self.mapping.items():
            if domain not in known:
                raise ValueError(
                    f"mapping sends the label {label!r} to {domain!r}, which is no known domain; "
                    f"known are: {', '.join(sorted(known))}"
                )
        return self


DomainsSettings = Annotated[
    FasttextDomainsSettings | ColumnDomainsSettings, Field(discriminator="kind")
]


class NormalizerSettings(Section):
    """sigma: raw score -> the scale shared by all criteria, smaller is better."""

    kind: Literal["rank", "zscore", "minmax"] = "rank"
    max_breakpoints: Annotated[int, Field(ge=2)] = 20_000


class FeaturesSettings(Section):
    """Quality criteria, domains and the normaliser."""

    criteria: Annotated[tuple[CriterionSettings, ...], Field(min_length=1)]
    domains: DomainsSettings
    normalizer: NormalizerSettings = NormalizerSettings()
    max_drift: Share = Field(
        default=0.1,
        description="largest distance of a new shard's scores from the pool's before a check warns",
    )

    @model_validator(mode="after")
    def _names_are_unique(self) -> "FeaturesSettings":
        names = [criterion.name for criterion in self.criteria]
        taken = {"id", "n_tokens", "n_bytes", "domain", "confidence", "text", "source"}
        taken |= {"merged_score", "rank", "sampling_value", "copies", "criterion"}
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two criteria are named {name!r}: give one another `name`")
            if name in taken:
                raise ValueError(f"a criterion cannot be named {name!r}: the tables use that name")
        if len(set(self.domains.names)) != len(self.domains.names):
            raise ValueError("domains.names holds a name twice")
        return self
