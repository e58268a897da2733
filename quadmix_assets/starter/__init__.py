"""A starter profile: guesses from the user's own shards and target sets, each with its reason."""
