"""Acquisitions, which choose the thetas of a further round of proxies, one module per kind."""
