"""SplitMix64 (Steele, Lea and Flood 2014): a bijection of 64-bit numbers that mixes all bits."""

import numpy as np
from numpy.typing import NDArray

UIntArray = NDArray[np.uint64]

# The increment between states of the generator: 2**64 divided by the golden ratio, made odd.
GAMMA = np.uint64(0x9E3779B97F4A7C15)
# The multipliers of its output function, Stafford's variant 13.
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def splitmix64(states: UIntArray) -> UIntArray:
    """The generator's output for every state, in a new array of the same shape."""
    bits: UIntArray = states + GAMMA
    # In place from here on: pools have many millions of documents.
    bits ^= bits >> np.uint64(30)
    bits *= _FIRST
    bits ^= bits >> np.uint64(27)
    bits *= _SECOND
    bits ^= bits >> np.uint64(31)
    return bits
