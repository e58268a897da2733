"""Tests; the tree mirrors `quadmix_assets`."""
