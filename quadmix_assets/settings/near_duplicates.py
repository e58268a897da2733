"""Settings of the search for near-duplicates in the pool."""

from typing import Annotated

from pydantic import Field

from quadmix_assets.settings.base import PositiveInt, Section


class NearDuplicatesSettings(Section):
    """Documents that say nearly the same, found by MinHash over runs of words."""

    enabled: bool = Field(
        default=False,
        description="whether near-duplicates are looked for (assets duplicate_signatures and "
        "near_duplicates); mixes that set drop_duplicates then take only the best of them",
    )
    threshold: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        default=0.8,
        description="two documents are near-duplicates where they share at least this part of the "
        "runs of words that either has (Jaccard similarity, estimated). Lower values join texts "
        "that share a template",
    )
    n_gram: PositiveInt = Field(
        default=5,
        description="words of a run, without case and punctuation; one changed word changes as "
        "many runs",
    )
    n_permutations: Annotated[int, Field(ge=16, le=4096)] = Field(
        default=128,
        description="numbers of a document's MinHash signature; the standard error of an estimated "
        "similarity of 0.8 is 0.4 / sqrt(n_permutations), 0.035 at the default",
    )
