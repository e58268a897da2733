"""The evidence: language models trained on finished mixes, and what they are measured on."""
