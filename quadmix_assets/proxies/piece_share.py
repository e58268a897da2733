"""The share of their samples that proxies read, so that they repeat it as the final training would.

Proxies are trained on far fewer tokens than the final model. Reading all of its sample, a proxy
would hardly repeat a document, and a small mix of good documents would look better than it is in
the end. So proxies read a part of the pieces of their samples (see `WindowStream`): such a part
that a sample of median size lasts for `proxies.target_epochs` epochs.
"""

from pathlib import Path

import numpy as np

from quadmix_assets.outputs import PROXY_POOL
from quadmix_assets.proxies.parameter_sets import read_round
from quadmix_assets.proxies.proxy_pool import open_index
from quadmix_assets.sampling import Parameters
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store


def piece_share(
    store: Store, settings: Settings, *, n_tokens_per_proxy: int | None = None
) -> float:
    """The share of the pieces of their samples that proxies read, in (0, 1].

    1 where `proxies.target_epochs` is null. Samples of all rounds, and whatever is compared with
    them, read the same share: it follows from the thetas of the first round and the proxy pool.

    Args:
        store: the lake.
        settings: the training tokens of a proxy, and `proxies.target_epochs`.
        n_tokens_per_proxy: other training tokens than those of the settings.

    Raises:
        MissingOutputError: thetas or proxy pool are not there, or are of other criteria or domains.
    """
    target_epochs = settings.proxies.target_epochs
    if target_epochs is None:
        return 1.0
    n_tokens = n_tokens_per_proxy or settings.proxies.training.n_tokens_per_proxy
    with store.local_folder(store.root / PROXY_POOL) as folder:
        of_domains = np.asarray(open_index(Path(folder), settings).n_tokens, np.float64)
    sizes = expected_tokens(read_round(store, settings, 0), of_domains)
    return share_for(n_tokens, target_epochs, float(np.median(sizes)))


def expected_tokens(parameters: Parameters, n_tokens: FloatArray) -> FloatArray:
    """Expected tokens (n,) of the samples of n thetas from domains of (M,) tokens."""
    tokens: FloatArray = parameters.expectation().epochs @ n_tokens
    return tokens


def share_for(n_tokens: int, target_epochs: float, n_tokens_sample: float) -> float:
    """The share of a sample at which so many training tokens make `target_epochs` epochs of it."""
    return min(1.0, n_tokens / (target_epochs * max(n_tokens_sample, 1.0)))


def regime_in_words(settings: Settings, share: float) -> str:
    """What proxies read, and whether their losses show what repetition costs."""
    target_epochs = settings.proxies.target_epochs
    if target_epochs is None:
        return (
            "proxies read all of their samples, and losses do not show what repetition costs: "
            "proxies.target_epochs is null"
        )
    lasts = f"a sample of median size lasts for {target_epochs:g} epochs of a training"
    if share < 1:
        return f"proxies read {share:.1%} of the pieces of their samples, so that {lasts}"
    return (
        "proxies read all of their samples, because these are too small: "
        f"{lasts} at least (proxies.target_epochs)"
    )
