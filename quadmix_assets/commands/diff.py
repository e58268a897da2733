"""`quadmix diff`: says which documents two mixes, or two versions of a mix, have different."""

import sys

from quadmix_assets.comparison.mix_diff import diff_mixes
from quadmix_assets.comparison.mix_diff_page import diff_blocks
from quadmix_assets.mix.selections import read_named
from quadmix_assets.report.blocks import blocks_text
from quadmix_assets.store import Store


def diff_to_terminal(store: Store, before: str, after: str, n_examples: int) -> int:
    """Print the difference of two mixes.

    Args:
        store: the lake.
        before: a mix by `name`, or a kept version of it by `name@version`.
        after: the same of the other one.
        n_examples: most documents of each kind that are named.

    Returns:
        The exit status: 0.

    Raises:
        MissingOutputError: there is no such mix or version.
    """
    first, second = read_named(store, before), read_named(store, after)
    diff = diff_mixes(first, second, n_examples=n_examples)
    sys.stdout.write(blocks_text(diff_blocks(store, diff, first, second)))
    return 0
