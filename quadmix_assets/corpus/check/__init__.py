"""Checks a profile's inputs before any work starts, by some rows of each of them."""

from quadmix_assets.corpus.check.inputs import check_inputs, incomplete, look_at_inputs
from quadmix_assets.corpus.check.report import InputReport

__all__ = ["InputReport", "check_inputs", "incomplete", "look_at_inputs"]
