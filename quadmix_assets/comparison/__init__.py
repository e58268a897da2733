"""Comparisons of the mix with others: the same model, the same tokens, other data."""
