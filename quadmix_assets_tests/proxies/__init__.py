"""Tests of `quadmix_assets.proxies`."""
