import pytest

from quadmix_assets.mix.methods.cut import refuse_more_than
from quadmix_assets_tests.mix.methods.pools import pool_of


def test_more_than_there_is_is_refused() -> None:
    pool = pool_of([10, 20], [0, 0])
    refuse_more_than(pool, 30)
    with pytest.raises(ValueError, match="31 tokens are asked for, but the 2 documents have 30"):
        refuse_more_than(pool, 31)
