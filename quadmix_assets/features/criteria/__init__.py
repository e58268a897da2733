"""Quality criteria: each gives a document one raw score, larger is better."""
