"""Domain classifiers: each gives a document one domain label and a confidence."""
