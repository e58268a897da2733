"""What every shard of a mix is made with."""

from quadmix_assets.corpus.tokenizer import tokenizer_path
from quadmix_assets.outputs import FITTED_MODELS, SCORE_NORMALIZERS, SELECTION_RULE, mix_output
from quadmix_assets.settings import NamedMix
from quadmix_assets.store import Store


def pinned_fingerprints(store: Store, mix: NamedMix) -> dict[str, str]:
    """Fingerprints of the pinned assets that every shard of a mix is made with.

    Tokenizer and fitted models belong to the scores; `selection_rule` is that of the mix.

    Raises:
        MissingOutputError: one of them has not been made.
    """
    rule = store.root / mix_output(mix.name, SELECTION_RULE)
    found = {
        "tokenizer": store.fingerprint(tokenizer_path(store)),
        FITTED_MODELS: store.fingerprint(store.root / FITTED_MODELS),
        SELECTION_RULE: store.fingerprint(rule),
    }
    if mix.normalized:
        found[SCORE_NORMALIZERS] = store.fingerprint(store.root / SCORE_NORMALIZERS)
    return found
