"""From input shards to documents: discovery, reading, normalising, target sets, the tokenizer."""
