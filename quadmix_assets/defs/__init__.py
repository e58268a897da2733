"""The Dagster side: thin assets, checks and sensors around the pure parts, one module per group."""

import warnings

import dagster as dg

# Backfill policies are what bounds the number of runs of a backfill over many shards; Dagster marks
# the parameter as beta, and would say so once for every asset at every start.
warnings.filterwarnings("ignore", message=".*backfill_policy.*", category=dg.BetaWarning)
