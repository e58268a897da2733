"""The Dagster side: thin assets, checks and sensors around the pure parts, one module per group."""

import warnings

import dagster as dg

# Backfill policies bound the number of runs of a backfill over many shards, and the list of input
# files is an observable source. Dagster marks both as beta, and would warn at every start.
for _name in ("backfill_policy", "multi_observable_source_asset"):
    warnings.filterwarnings("ignore", message=f".*{_name}.*", category=dg.BetaWarning)
