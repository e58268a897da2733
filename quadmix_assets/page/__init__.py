"""The report: one HTML page about a pool and its mixes that loads nothing and opens from a file."""
