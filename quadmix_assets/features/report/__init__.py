"""What the criteria prefer, for people to read: numbers, tables of documents, plots."""
