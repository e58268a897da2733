"""Tests of `quadmix_assets.sampling`."""
