"""How costs grow with documents and shards; `python -m benchmarks.scale`."""
