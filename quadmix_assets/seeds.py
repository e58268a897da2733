"""Derives an independent seed for every purpose from the one seed of the settings."""

from quadmix_assets.hashing import hash_number


def derive_seed(seed: int, purpose: str) -> int:
    """A seed below 2**63 that depends on `seed` and `purpose` alone.

    Random numbers of different purposes are independent: the search does not draw the proxies'
    thetas again, and whether a document is in one sample does not depend on another sample.
    """
    return hash_number(f"{purpose}:{seed}".encode()) >> 1
