"""Settings of the corpus: where the input shards lie, and which of their columns are used."""

from typing import Literal

from pydantic import Field, model_validator

from quadmix_assets.settings.base import PositiveInt, Section, Share

_COLUMNS_OF_EVERY_SHARD = ("id", "text", "source", "n_bytes")


class PlantedSettings(Section):
    """The generated corpus, whose right answer is known (`corpus.source: planted`)."""

    n_documents: PositiveInt = Field(
        default=20_000,
        description="documents of the pool; so many that the search finds the planted blend, and "
        "few enough for minutes on two cores",
    )
    n_shards: PositiveInt = Field(
        default=8, description="files that they lie in, of several formats in turn"
    )
    n_labelled_per_domain: PositiveInt = Field(
        default=120, description="labelled examples for each domain, for the domain classifier"
    )
    n_target: PositiveInt = Field(default=1_200, description="documents of the target set")


class CorpusSettings(Section):
    """Where the raw shards come from and which of their columns are used.

    A column may be the field of an object: "meta.url" is the field url of the column meta, where no
    column has that name itself.
    """

    source: Literal["files", "planted"] = Field(
        default="files", description="read files of your own, or generate the demo's corpus"
    )
    raw: str = Field(
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
        description="which files below `raw` are shards: with a slash, of the whole path (** is "
        "any number of folders), without one, of the name alone. `.json` can be read too, with one "
        "object a line, but is no default: such files are mostly something else",
    )
    text_column: str = Field(default="text", description="holds the document's text")
    id_column: str | None = Field(
        default="id",
        description="holds a document's id, which is unique in the pool. The default may be "
        "absent, and ids are made from shard and row then, as with null; a shard without the "
        "column that the profile names fails",
    )
    source_column: str | None = Field(
        default="source",
        description="says where a document comes from; absent or null: the shard's key does",
    )
    carried_columns: dict[str, Literal["string", "int", "float", "bool"]] = Field(
        default_factory=dict,
        description="further columns and their types, which go through to the final mix; those "
        "that give domains or scores must be among them",
    )
    max_text_bytes: PositiveInt = Field(
        default=4_000_000,
        description="bytes (UTF-8) of the longest text; longer ones go to quarantine. The default "
        "lets whole novels pass, and bounds the memory that one document takes",
    )
    max_quarantine_share: Share = Field(
        default=0.05,
        description="share of a shard's rows that may go to quarantine before a check fails: some "
        "rows of any crawl are empty, but not every twentieth",
    )
    max_target_overlap: Share = Field(
        default=0.01,
        description="share of a target's documents that may share a run of 13 words with the pool "
        "before a check warns",
    )
    datasets: str | None = Field(
        default=None,
        description="folder with local copies of data sets that targets name by hub id "
        "(`<folder>/<organisation>/<name>/<config>/<split>/*.parquet`); null: from the hub",
    )
    planted: PlantedSettings = Field(
        default=PlantedSettings(), description="sizes of the generated corpus"
    )

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
        for name in _COLUMNS_OF_EVERY_SHARD:
            if name in self.carried_columns:
                raise ValueError(
                    f"carried_columns holds {name!r}, which every shard has anyway: leave it out"
                )
        return self
