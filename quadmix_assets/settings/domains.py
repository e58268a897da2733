"""Settings of the domain classifiers."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from quadmix_assets.settings.base import Name, PositiveInt, Section, Share

UNKNOWN_DOMAIN = "unknown"

NVIDIA_DOMAINS = (
    "Adult",
    "Arts_and_Entertainment",
    "Autos_and_Vehicles",
    "Beauty_and_Fitness",
    "Books_and_Literature",
    "Business_and_Industrial",
    "Computers_and_Electronics",
    "Finance",
    "Food_and_Drink",
    "Games",
    "Health",
    "Hobbies_and_Leisure",
    "Home_and_Garden",
    "Internet_and_Telecom",
    "Jobs_and_Education",
    "Law_and_Government",
    "News",
    "Online_Communities",
    "People_and_Society",
    "Pets_and_Animals",
    "Real_Estate",
    "Science",
    "Sensitive_Subjects",
    "Shopping",
    "Sports",
    "Travel_and_Transportation",
)


class _DomainsSettings(Section):
    names: tuple[Name, ...]
    confidence_floor: Share = Field(
        default=0.0, description="documents with a smaller confidence are `unknown`"
    )


class FasttextDomainsSettings(_DomainsSettings):
    """A supervised fastText classifier, trained inside the graph on labelled examples."""

    kind: Literal["fasttext"]
    labels: str | None = Field(
        default=None,
        description="JSONL or Parquet with a text and a domain column; null takes the planted one",
    )
    text_column: str = "text"
    domain_column: str = "domain"
    epochs: PositiveInt = 15
    dimension: PositiveInt = 32
    n_word_ngrams: PositiveInt = 1
    learning_rate: Annotated[float, Field(gt=0)] = 0.5
    n_buckets: PositiveInt = 200_000


class ColumnDomainsSettings(_DomainsSettings):
    """A label that the input brings; what does not map to a name goes to `unknown`."""

    kind: Literal["column"]
    column: str
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


class NvidiaDomainsSettings(_DomainsSettings):
    """NVIDIA's domain classifier: DeBERTa-v3 with a linear head over 26 domains."""

    kind: Literal["nvidia"]
    model: str = "nvidia/domain-classifier"
    revision: str = Field(
        default="main", description="a branch is resolved to a commit once, by fitted_models"
    )
    max_tokens: PositiveInt = 512
    names: tuple[Name, ...] = NVIDIA_DOMAINS


class ClustersSettings(_DomainsSettings):
    """Domains found by k-means on embeddings, for pools without any labels."""

    kind: Literal["clusters"]
    k: Annotated[int, Field(ge=2)] = 16
    encoder: Literal["fasttext", "sentence"] = Field(
        default="fasttext",
        description="word vectors trained on the sample, or a published sentence encoder",
    )
    model: str = "sentence-transformers/all-MiniLM-L6-v2"
    revision: str = "main"
    max_tokens: PositiveInt = 256
    n_pool_documents: PositiveInt = 20_000
    dimension: PositiveInt = Field(default=64, description="of the word vectors of `fasttext`")

    @model_validator(mode="before")
    @classmethod
    def _numbered_names(cls, values: Any) -> Any:
        # The number of clusters gives the names, unless the settings do.
        if isinstance(values, dict) and values.get("names") is None:
            k = int(values.get("k", cls.model_fields["k"].default))
            values = {**values, "names": [f"cluster_{number:02d}" for number in range(k)]}
        return values

    @model_validator(mode="after")
    def _one_name_per_cluster(self) -> "ClustersSettings":
        if len(self.names) != self.k:
            raise ValueError(
                f"names has {len(self.names)} entries for k = {self.k} clusters: name each of "
                "them, the largest first, or leave names out"
            )
        return self


DomainsSettings = Annotated[
    FasttextDomainsSettings | ColumnDomainsSettings | NvidiaDomainsSettings | ClustersSettings,
    Field(discriminator="kind"),
]
