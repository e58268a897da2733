"""The Dagster side: thin assets, checks and sensors around the pure parts, one module per group."""

import warnings

import dagster as dg

# Backfill policies bound the number of runs of a backfill over many shards. Dagster marks the
# parameter as beta, and would warn once per asset at every start.
warnings.filterwarnings("ignore", message=".*backfill_policy.*", category=dg.BetaWarning)
