"""Searches for theta*. Each is one module with its settings class, and one line in `registry`."""
