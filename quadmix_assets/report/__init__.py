"""The catalog: SQL views over the lake."""
