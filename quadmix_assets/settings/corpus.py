"""Settings of the corpus: the input shards, and which of their columns are used."""

from typing import Literal

from pydantic import Field, model_validator

from quadmix_assets.settings.base import PositiveInt, Section, Share
from quadmix_assets.settings.locations import Location

_COLUMNS_OF_EVERY_SHARD = ("id", "text", "source", "n_bytes")


class PlantedSettings(Section):
    """The generated corpus, whose ground truth is known (`corpus.source: planted`)."""

    n_documents: PositiveInt = Field(
        default=20_000,
        description="documents of the pool; enough for the search to find the target set's blend "
        "of domains, and few enough to run in minutes on two cores",
    )
    n_shards: PositiveInt = Field(default=8, description="input files, in alternating formats")
    n_labelled_per_domain: PositiveInt = Field(
        default=120, description="labelled examples per domain, for the domain classifier"
    )
    n_target: PositiveInt = Field(default=1_200, description="documents of the target set")


class CorpusSettings(Section):
    """Where the raw shards come from and which of their columns are used.

    A column may be the field of an object: "meta.url" is the field url of the column meta, where no
    column has that name itself.
    """

    source: Literal["files", "planted"] = Field(
        default="files",
        description="files: read your own input shards; planted: generate the demo's corpus",
    )
    raw: Location = Field(
        default="data/raw", description="folder or URI of the input shards; not used if planted"
    )
    patterns: tuple[str, ...] = Field(
        default=(
            "**/*.parquet",
            "**/*.jsonl",
            "**/*.jsonl.gz",
            "**/*.jsonl.zst",
            "**/*.ndjson",
        ),
        description="glob patterns of the shards below `raw`; a pattern with a slash matches the "
        "whole path (** is any number of folders), one without a slash the file name. `.json` "
        "files with one object per line can be read too, but are not in the default, because most "
        "`.json` files have other content",
    )
    text_column: str = Field(default="text", description="column of the document's text")
    id_column: str | None = Field(
        default="id",
        description="column of the document's id, which must be unique in the pool. Where the "
        "default column is absent, or with null, ids are made from shard and row; if the profile "
        "names the column, a shard without it fails",
    )
    source_column: str | None = Field(
        default="source",
        description="column of the document's origin; where it is absent or null, the source is "
        "the shard's key",
    )
    carried_columns: dict[str, Literal["string", "int", "float", "bool"]] = Field(
        default_factory=dict,
        description="further columns, by name, and their types; they are copied through to the "
        "final mix. Columns that give domains or scores must be among them",
    )
    max_text_bytes: PositiveInt = Field(
        default=4_000_000,
        description="maximum bytes (UTF-8) of a text; longer ones go to quarantine. The default "
        "admits whole novels, and bounds the memory that one document takes",
    )
    max_quarantine_share: Share = Field(
        default=0.05,
        description="share of a shard's rows that may go to quarantine before a check fails; some "
        "rows of any crawl are empty, but rarely 5 %",
    )
    max_target_overlap: Share = Field(
        default=0.01,
        description="share of a target's documents that may share a run of 13 words with the pool "
        "before a check warns",
    )
    datasets: Location | None = Field(
        default=None,
        description="folder with local copies of data sets that targets name by hub id "
        "(`<folder>/<organisation>/<name>/<config>/<split>/*.parquet`); null: they are read from "
        "the hub",
    )
    planted: PlantedSettings = Field(
        default=PlantedSettings(), description="sizes of the generated corpus"
    )

    @property
    def names_id_column(self) -> bool:
        """Whether the profile names the id column; every shard must have it then."""
        return self.id_column is not None and "id_column" in self.model_fields_set

    @property
    def names_source_column(self) -> bool:
        """Whether the profile names the source column."""
        return self.source_column is not None and "source_column" in self.model_fields_set

    @model_validator(mode="after")
    def _carried_columns_are_apart(self) -> "CorpusSettings":
        for name in _COLUMNS_OF_EVERY_SHARD:
            if name in self.carried_columns:
                raise ValueError(
                    f"carried_columns holds {name!r}, which every shard has anyway: leave it out"
                )
        return self
