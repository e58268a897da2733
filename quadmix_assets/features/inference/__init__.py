"""Runs published models over texts: where they lie, on which device, in which batches."""

from quadmix_assets.features.inference.runtime import Runtime

__all__ = ["Runtime"]
