"""Near-duplicates of the pool: MinHash signatures of every document, and the clusters they form."""
