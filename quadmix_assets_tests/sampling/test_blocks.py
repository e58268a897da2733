import numpy as np
import pytest

from quadmix_assets.sampling.blocks import BLOCK, blocks_of


@pytest.mark.parametrize("n", [1, BLOCK, BLOCK + 1, 10 * BLOCK - 3])
def test_every_document_is_in_one_block_and_only_the_last_is_short(n: int) -> None:
    rng = np.random.default_rng(n)
    documents = rng.permutation(2 * n)[:n]
    blocks = blocks_of(np.round(rng.random((2 * n, 2)), 2), documents)
    assert sorted(np.concatenate(blocks)) == sorted(documents)
    assert {len(block) for block in blocks[:-1]} <= {BLOCK}


def test_blocks_are_compact() -> None:
    rng = np.random.default_rng(0)
    n = 64 * BLOCK
    sigma = rng.random((n, 2))
    extents = [np.ptp(sigma[block], axis=0) for block in blocks_of(sigma, np.arange(n))]
    # 64 blocks of a square are 8 x 8 of an eighth each.
    np.testing.assert_allclose(np.median(extents, axis=0), 1 / 8, rtol=0.15)


def test_ties_go_by_the_order_of_the_documents() -> None:
    documents = np.arange(3 * BLOCK)[::-1].copy()
    blocks = blocks_of(np.ones((3 * BLOCK, 2)), documents)
    np.testing.assert_array_equal(np.concatenate(blocks), documents)
