"""Runs published models on texts: finds checkpoints, chooses the device, forms batches."""

from quadmix_assets.features.inference.runtime import Runtime

__all__ = ["Runtime"]
