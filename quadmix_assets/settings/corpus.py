"""Settings of the corpus: input shards, tokenizer, target sets."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from quadmix_assets.settings.base import Name, PositiveInt, Section, Share


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
    planted: PlantedSettings = PlantedSettings()

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
        default=None, description="file or URI; null takes the planted target of the demo"
    )
    text_column: str = "text"
    template: str | None = None
    max_documents: PositiveInt | None = 10_000
    fit_share: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.5, description="the part that criteria may learn from; the rest is evaluated on"
    )
