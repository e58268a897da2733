"""Tests of `quadmix_assets.search`."""
