"""From input shards to documents: discovery, reading, normalizing, target sets, the tokenizer."""
