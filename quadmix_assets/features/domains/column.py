"""A domain label that the input brings along, in a carried column."""

import polars as pl

from quadmix_assets.features.domains.base import DomainClassifier
from quadmix_assets.settings import UNKNOWN_DOMAIN, ColumnDomainsSettings


class ColumnDomains(DomainClassifier[ColumnDomainsSettings]):
    """The label of a column, mapped to a name.

    `mapping` comes first; a label that is itself one of the names needs no entry there. What is
    null or maps to nothing is `unknown`. The confidence is 1, for `unknown` 0.
    """

    version = "1"

    @property
    def columns(self) -> tuple[str, ...]:
        """The column of the settings."""
        return (self.settings.column,)

    def classify(self, documents: pl.DataFrame) -> pl.DataFrame:
        """Domain and confidence of each document."""
        names = {name: name for name in self.settings.names} | self.settings.mapping
        labels = documents[self.settings.column].cast(pl.String)
        domains = labels.replace_strict(
            names, default=UNKNOWN_DOMAIN, return_dtype=pl.String
        ).fill_null(UNKNOWN_DOMAIN)
        known = (domains != UNKNOWN_DOMAIN).cast(pl.Float64)
        return pl.DataFrame({"domain": domains, "confidence": known})
