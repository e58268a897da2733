import numpy as np

from quadmix_assets.splitmix64 import GAMMA, splitmix64


def test_first_numbers_of_the_published_generator() -> None:
    """For the seed 1234567, as in the reference implementation's own test."""
    states = np.array([1234567], np.uint64) + GAMMA * np.arange(5, dtype=np.uint64)
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert splitmix64(states).tolist() == expected


def test_states_are_left_as_they_were() -> None:
    states = np.arange(3, dtype=np.uint64)
    splitmix64(states)
    assert states.tolist() == [0, 1, 2]
