"""What the rule of a mix was made from, recorded when it is fitted.

The record lies beside the rule instead of in it: a proxy batch that is trained again with the same
losses has another fingerprint and leaves theta* as it is, and the mix with it.
"""

from typing import Any, cast

from quadmix_assets.mix.guards import Guards
from quadmix_assets.mix.upstream import upstream_of
from quadmix_assets.outputs import (
    OPTIMUM_CHECK,
    PROXY_METRICS,
    RULE_MADE_FROM,
    SELECTION_RULE,
    mix_output,
)
from quadmix_assets.proxies.parameter_sets import batch_names, n_rounds
from quadmix_assets.settings import NamedMix, Settings
from quadmix_assets.store import MissingOutputError, Store

_FILE = "made_from.json"


def upstream_fingerprints(store: Store, settings: Settings, mix: NamedMix) -> dict[str, Any]:
    """Fingerprints of what the rule of a mix depends on, as it is in the lake now.

    One for each asset of `upstream_of` that is there; for `proxy_metrics`, if the mix depends on
    it, one per batch.
    """
    found: dict[str, Any] = {}
    for asset in upstream_of(settings, mix):
        if asset == PROXY_METRICS:
            found[asset] = _batches(store)
        elif (store.root / asset).exists():
            found[asset] = store.fingerprint(store.root / asset)
    return found


def _batches(store: Store) -> dict[str, str]:
    batches = [
        (batch, store.table_path(PROXY_METRICS, batch))
        for number in range(n_rounds(store) + 1)
        for batch in batch_names(store, number)
    ]
    return {batch: store.fingerprint(path) for batch, path in batches if path.exists()}


def optimum_check_fingerprint(store: Store) -> str | None:
    """The fingerprint of theta*'s comparison with its baselines; None if it was not made."""
    path = store.table_path(OPTIMUM_CHECK)
    return store.fingerprint(path) if path.exists() else None


def write_made_from(store: Store, settings: Settings, mix: NamedMix, guards: Guards) -> None:
    """Record what the rule was made from, and the guards that failed and were accepted."""
    fingerprints = upstream_fingerprints(store, settings, mix)
    store.write_json(
        store.path(mix_output(mix.name, RULE_MADE_FROM), _FILE),
        {
            SELECTION_RULE: store.fingerprint(store.root / mix_output(mix.name, SELECTION_RULE)),
            "fingerprints": fingerprints,
            "refinement_rounds": n_rounds(store) if PROXY_METRICS in fingerprints else 0,
            "guards": guards.to_json(),
        },
    )


def read_made_from(store: Store, mix: str) -> dict[str, Any]:
    """The record of the mix of that name: `fingerprints`, `refinement_rounds`, `guards`.

    Raises:
        MissingOutputError: there is none, or it is that of another rule.
    """
    path = store.path(mix_output(mix, RULE_MADE_FROM), _FILE)
    rule = mix_output(mix, SELECTION_RULE)
    again = f"materialise the asset {rule!r} again"
    if not path.exists():
        raise MissingOutputError(f"{path} is not there: {again}")
    stored = cast(dict[str, Any], store.read_json(path))
    if stored.pop(SELECTION_RULE) != store.fingerprint(store.root / rule):
        raise MissingOutputError(f"{path} is the record of another rule: {again}")
    return stored
