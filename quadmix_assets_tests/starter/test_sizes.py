"""Sizes that follow from the pool."""

import pytest

from quadmix_assets.starter.sizes import sizes_of


def test_small_pool_is_the_proxy_pool_and_a_large_one_is_sampled() -> None:
    assert sizes_of(4_000_000, 3, 10).pool_tokens == 1_000_000
    assert sizes_of(4_567_890, 3, 10).pool_tokens == 1_100_000
    assert sizes_of(4 * 10**12, 3, 10).pool_tokens == 20_000_000


@pytest.mark.parametrize("n_text_bytes", [0, 10**6, 10**8, 10**10, 10**13])
def test_windows_narrow_as_the_pool_grows(n_text_bytes: int) -> None:
    sizes, larger = sizes_of(n_text_bytes, 3, 10), sizes_of(10 * n_text_bytes, 3, 10)
    assert 0.1 <= larger.omega_max <= sizes.omega_max <= 0.5
    assert larger.vocab_size >= sizes.vocab_size
    assert sizes.pool_tokens >= 1


def test_proxies_follow_the_entries_of_theta_in_whole_batches() -> None:
    assert sizes_of(10**9, 3, 10).n_proxies == 128
    assert (sizes_of(10**9, 3, 26).n_entries, sizes_of(10**9, 3, 26).n_proxies) == (182, 192)
    assert sizes_of(10**9, 8, 300).n_proxies == 512


def test_proxies_that_measure_are_counted_beside_the_swarm() -> None:
    # 12 repeats; heats of 16, 8, 8 and 8; 8 seeds of theta*, three rivals and each criterion.
    assert sizes_of(10**9, 3, 10).n_measuring == 12 + 40 + 8 * (4 + 3)
    assert sizes_of(10**9, 5, 10).n_measuring == 12 + 40 + 8 * (4 + 5)
