"""The kinds of domain classifiers. A new kind is one line here and one module."""

from quadmix_assets.registry import Registry

_PACKAGE = "quadmix_assets.features.domains"

DOMAIN_CLASSIFIERS = Registry(
    "domain classifier",
    {
        "fasttext": f"{_PACKAGE}.fasttext:FasttextDomainsSettings",
        "column": f"{_PACKAGE}.column:ColumnDomainsSettings",
        "nvidia": f"{_PACKAGE}.nvidia:NvidiaDomainsSettings",
        "clusters": f"{_PACKAGE}.clusters:ClustersSettings",
    },
)
