import numpy as np
import pytest

from quadmix_assets.sampling import uniform_of_ids
from quadmix_assets.seeds import derive_seed


def test_seeds_are_told_apart_by_purpose_and_seed_and_fit_63_bits() -> None:
    seeds = {derive_seed(seed, f"purpose-{n}") for seed in range(50) for n in range(50)}
    assert len(seeds) == 2_500
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_digits_of_purpose_and_seed_do_not_run_into_each_other() -> None:
    assert derive_seed(11, "proxy:1") != derive_seed(1, "proxy:11")
    assert derive_seed(1, "a:0") != derive_seed(0, "a:1")


def test_seed_is_the_same_in_every_version() -> None:
    """Pinned: another value would make another mix from the same settings."""
    assert derive_seed(0, "final_mix") == 3_666_771_865_994_862_284


@pytest.mark.parametrize("seed", [0, 7])
def test_luck_for_one_purpose_says_nothing_of_luck_for_another(seed: int) -> None:
    ids = [f"document-{n}" for n in range(20_000)]
    first = uniform_of_ids(ids, derive_seed(seed, "final_mix"))
    second = uniform_of_ids(ids, derive_seed(seed, "sampled_subset"))
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(len(ids))
