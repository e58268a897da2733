"""The method of the paper: parameters, merging, ranking, sampling values and the draw.

Everything here takes and returns NumPy arrays and can be used on its own (QuaDMix, Liu et al. 2025,
arXiv:2504.16511, Equations 1-3 and Algorithm 1). In order: `sample_parameters`, `merge_scores`,
`rank_within_domains`, `sampling_value`, `draw_copies`. For thousands of thetas over one pool,
`PoolIndex` and `PoolDraw` give identical results much faster. `TokenShareTable` gives ranks to
documents that were not in its fit; `ShareSummary` is what it is fitted on where a pool is large.
"""

from quadmix_assets.sampling.draw import (
    copies_of,
    draw_bits,
    draw_copies,
    hash_ids,
    uniform_of_bits,
    uniform_of_ids,
)
from quadmix_assets.sampling.expected import Expectation, expectation, omega_for
from quadmix_assets.sampling.merge import merge_scores
from quadmix_assets.sampling.parameters import (
    LambdaPrior,
    Parameters,
    Theta,
    feature_names,
    sample_parameters,
)
from quadmix_assets.sampling.pool_draw import PoolDraw, Taken
from quadmix_assets.sampling.pool_index import Best, PoolIndex
from quadmix_assets.sampling.rank import rank_within_domains
from quadmix_assets.sampling.sampling_value import sampling_value
from quadmix_assets.sampling.share_summary import ShareSummary
from quadmix_assets.sampling.share_table import TokenShareTable

__all__ = [
    "Best",
    "Expectation",
    "LambdaPrior",
    "Parameters",
    "PoolDraw",
    "PoolIndex",
    "ShareSummary",
    "Taken",
    "Theta",
    "TokenShareTable",
    "copies_of",
    "draw_bits",
    "draw_copies",
    "expectation",
    "feature_names",
    "hash_ids",
    "merge_scores",
    "omega_for",
    "rank_within_domains",
    "sample_parameters",
    "sampling_value",
    "uniform_of_bits",
    "uniform_of_ids",
]
