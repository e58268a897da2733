import polars as pl

from quadmix_assets.proxies.samples import samples_of_subset


def test_samples_are_the_rows_of_their_theta_and_may_be_empty() -> None:
    subset = pl.DataFrame(
        {"theta_id": [7, 7, 2, 7], "document": [5, 1, 9, 3], "copies": [1, 2, 3, 4]},
        schema={"theta_id": pl.Int32, "document": pl.Int32, "copies": pl.Int32},
    )
    samples = samples_of_subset(subset, {2: 5, 4: 6, 7: 8}, seed=11)
    found = [
        (s.sample_id, s.documents.tolist(), s.copies.tolist(), s.seed, s.order_seed)
        for s in samples
    ]
    assert found == [
        (2, [9], [3], 11, 5),
        (4, [], [], 11, 6),
        (7, [5, 1, 3], [1, 2, 4], 11, 8),
    ]
