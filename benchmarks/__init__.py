"""Benchmarks, run by hand: `python -m benchmarks.<name>`. Results are in RESULTS.md."""
