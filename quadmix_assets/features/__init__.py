"""Features of documents: raw scores of the quality criteria, domains, and the normalizer sigma."""
