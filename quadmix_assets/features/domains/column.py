"""Domain labels read from a column of the input."""

from typing import Literal

import polars as pl
from pydantic import Field, model_validator

from quadmix_assets.features.domains.base import DomainClassifier
from quadmix_assets.settings.domains import UNKNOWN_DOMAIN, DomainsSettings


class ColumnDomainsSettings(DomainsSettings):
    """Labels from a column of the input; labels that map to no domain are `unknown`."""

    kind: Literal["column"]
    column: str = Field(
        description="the column of labels; it must be in corpus.carried_columns too"
    )
    mapping: dict[str, str] = Field(
        default_factory=dict,
        description="label of the input -> one of `names`; labels that are names need no entry",
    )

    def implementation(self) -> "type[ColumnDomains]":
        """See `DomainsSettings`."""
        return ColumnDomains

    @property
    def columns_read(self) -> tuple[str, ...]:
        """The setting `column`; no text is read."""
        return (self.column,)

    @property
    def label_column(self) -> str:
        """The setting `column`."""
        return self.column

    def domain_of(self, label: str) -> str:
        """What `mapping` says, else the label itself where it is a name."""
        return self.mapping.get(label) or super().domain_of(label)

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


class ColumnDomains(DomainClassifier[ColumnDomainsSettings]):
    """The label in a column, mapped to a domain.

    `mapping` takes precedence; a label that is itself one of `names` needs no entry there. Null and
    other labels are `unknown`. The confidence is 1, and 0 for `unknown`.
    """

    code_version = "1"

    def classify(self, documents: pl.DataFrame) -> pl.DataFrame:
        """Domain and confidence of each document."""
        names = {name: name for name in self.settings.names} | self.settings.mapping
        labels = documents[self.settings.column].cast(pl.String)
        domains = labels.replace_strict(
            names, default=UNKNOWN_DOMAIN, return_dtype=pl.String
        ).fill_null(UNKNOWN_DOMAIN)
        known = (domains != UNKNOWN_DOMAIN).cast(pl.Float64)
        return pl.DataFrame({"domain": domains, "confidence": known})
