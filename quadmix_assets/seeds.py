"""One seed in the settings, a stream of its own for every purpose."""

from quadmix_assets.hashing import hash_number


def derive_seed(seed: int, purpose: str) -> int:
    """A seed below 2**63 that depends on `seed` and `purpose` alone.

    Two purposes never share random numbers: the search does not replay the proxies' thetas, and a
    document's luck in one sample says nothing of its luck in another.
    """
    return hash_number(f"{purpose}:{seed}".encode()) >> 1
