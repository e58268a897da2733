"""Settings of the corpus: input shards, tokenizer, target sets."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from quadmix_assets.corpus.target_formats.registry import FORMATS, known_format
from quadmix_assets.settings.base import Name, PositiveInt, Section, Share

FormatName = Annotated[
    str,
    AfterValidator(known_format),
    WithJsonSchema({"type": "string", "enum": list(FORMATS)}),
]


class PlantedSettings(Section):
    """The generated corpus with planted truth (`corpus.source: planted`)."""

    n_documents: PositiveInt = 20_000
    n_shards: PositiveInt = 8
    n_labelled_per_domain: PositiveInt = 120
    n_target: PositiveInt = 1_200


class CorpusSettings(Section):
    """Where the raw shards come from and which of their columns are used."""

    source: Literal["files", "planted"] = "files"
    raw: str = "data/raw"
    patterns: tuple[str, ...] = (
        "**/*.parquet",
        "**/*.jsonl",
        "**/*.jsonl.gz",
        "**/*.jsonl.zst",
        "**/*.ndjson",
    )
    text_column: str = "text"
    id_column: str | None = "id"
    source_column: str | None = "source"
    carried_columns: dict[str, Literal["string", "int", "float", "bool"]] = Field(
        default_factory=dict
    )
    max_text_bytes: PositiveInt = 4_000_000
    max_quarantine_share: Share = 0.05
    max_target_overlap: Share = Field(
        default=0.01,
        description="share of a target's documents that may share a run of 13 words with the pool "
        "before a check warns",
    )
    datasets: str | None = Field(
        default=None,
        description="folder with local copies of data sets that targets name by hub id "
        "(`<folder>/<organisation>/<name>/<config>/<split>/*.parquet`)",
    )
    planted: PlantedSettings = PlantedSettings()

    @property
    def names_id_column(self) -> bool:
        """Whether the profile itself names the id column, which every shard must have then."""
        return self.id_column is not None and "id_column" in self.model_fields_set

    @property
    def names_source_column(self) -> bool:
        """Whether the profile itself names the source column."""
        return self.source_column is not None and "source_column" in self.model_fields_set

    @model_validator(mode="after")
    def _carried_columns_are_apart(self) -> "CorpusSettings":
        for name in ("id", "text", "source", "n_bytes"):
            if name in self.carried_columns:
                raise ValueError(
                    f"carried_columns holds {name!r}, which every shard has anyway: leave it out"
                )
        return self


class TokenizerSettings(Section):
    """The tokenizer that counts the pool's tokens and feeds the proxies."""

    source: str | None = Field(
        default=None,
        description="tokenizer.json, a folder that holds one, or a hub id; trained if null",
    )
    revision: str | None = None
    vocab_size: Annotated[int, Field(ge=300, le=1_000_000)] = 8_192
    sample_bytes: PositiveInt = 30_000_000

    @model_validator(mode="after")
    def _revision_needs_source(self) -> "TokenizerSettings":
        if self.revision is not None and self.source is None:
            raise ValueError("revision is given without source: name the tokenizer it belongs to")
        return self


class TargetSettings(Section):
    """One target set: text that the mix should make a model good at."""

    name: Name
    path: str | None = Field(
        default=None,
        description="file or URI, or a pattern with *; null takes `dataset`, or the planted target "
        "of the demo",
    )
    dataset: str | None = Field(
        default=None,
        description="hub id of a data set, read as Parquet; a local copy under corpus.datasets "
        "comes first",
    )
    config: str = "default"
    split: str = "train"
    revision: str = Field(
        default="refs/convert/parquet",
        description="branch, tag or commit of the data set; the default is where the hub keeps "
        "every data set as Parquet",
    )
    text_column: str = "text"
    template: str | None = None
    format: FormatName | None = Field(
        default=None, description="rows of a published data set, brought to question and answer"
    )
    max_documents: PositiveInt | None = 10_000
    fit_share: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.5, description="the part that criteria may learn from; the rest is evaluated on"
    )

    @model_validator(mode="after")
    def _one_source(self) -> "TargetSettings":
        if self.path is not None and self.dataset is not None:
            raise ValueError("path and dataset are both given: keep the one to read from")
        return self
