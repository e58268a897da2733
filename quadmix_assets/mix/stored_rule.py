"""The rule of a mix in the lake: `mixes/<mix>/selection_rule/`, JSON and tables."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import polars as pl

from quadmix_assets.features.normalizers import Normalizer
from quadmix_assets.mix.documents import Documents
from quadmix_assets.mix.pinned import pinned_fingerprints
from quadmix_assets.mix.pool import read_normalizers
from quadmix_assets.mix.rule import Decisions, Rule, StoredRule
from quadmix_assets.outputs import SELECTION_RULE, mix_output
from quadmix_assets.settings import NamedMix, Settings
from quadmix_assets.store import MissingOutputError, Store, output_names

RULE_FILE = "rule.json"
DROPPED_TABLE = "dropped"


@dataclass(frozen=True, eq=False)
class LoadedRule:
    """A rule as it was stored, which decides on any documents of the pool.

    Attributes:
        mix: name of the mix.
        rule: the rule of its method.
        normalizers: sigma of the criteria, where it reads normalized scores.
        dropped: sorted uint64 hashes of the ids of near-duplicates that are never taken.
        values: everything else that was stored: `method`, `options`, `tokens` asked for,
            `expected_tokens` and `pool_tokens` per domain, `n_documents`, `prediction`.
        fingerprints: of the pinned assets that documents are decided on with, by name.
    """

    mix: str
    rule: Rule
    normalizers: Mapping[str, Normalizer]
    dropped: np.ndarray
    values: Mapping[str, Any]
    fingerprints: Mapping[str, str]

    def decide(self, documents: Documents) -> Decisions:
        """The decisions on D documents; dropped near-duplicates are not taken."""
        made = self.rule.decide(documents)
        out = self.is_dropped(documents)
        return replace(
            made,
            copies=np.where(out, 0, made.copies),
            sampling_value=np.where(out, 0.0, made.sampling_value),
        )

    def is_dropped(self, documents: Documents) -> np.ndarray:
        """(D,) whether each document is a near-duplicate of a better one."""
        if not len(self.dropped):
            return np.zeros(len(documents), dtype=bool)
        hashes = documents.id_hashes
        places = np.searchsorted(self.dropped, hashes)
        return np.asarray(self.dropped[np.minimum(places, len(self.dropped) - 1)] == hashes)


def write_rule(store: Store, mix: NamedMix, rule: StoredRule, values: Mapping[str, Any]) -> None:
    """Store the rule of a mix; tables of an earlier rule that this one does not have are deleted.

    Args:
        store: the lake.
        mix: whose rule it is.
        rule: as JSON and tables.
        values: what is stored with it, JSON.
    """
    asset = mix_output(mix.name, SELECTION_RULE)
    fingerprints = {}
    for name, table in rule.tables.items():
        path = store.table_path(asset, name)
        store.write_table(path, table)
        fingerprints[name] = store.fingerprint(path)
    # Last, so that a rule whose writing was interrupted is told from a whole one.
    store.write_json(
        store.path(asset, RULE_FILE),
        {
            "method": mix.method,
            "options": mix.model_dump(mode="json", exclude={"name", "follow", "export"}),
            **values,
            "rule": dict(rule.values),
            "tables": fingerprints,
        },
    )
    kept = {RULE_FILE, *(f"{name}.parquet" for name in rule.tables)}
    for name in set(output_names(store.root / asset)) - kept:
        store.delete(store.path(asset, name))


def read_rule_values(store: Store, mix: str) -> dict[str, Any]:
    """The JSON of the rule of a mix.

    Raises:
        MissingOutputError: it has not been made.
    """
    path = store.path(mix_output(mix, SELECTION_RULE), RULE_FILE)
    return cast(dict[str, Any], store.read_json(path))


def read_dropped(store: Store, mix: str) -> pl.DataFrame:
    """The near-duplicates that the rule of a mix never takes; without rows if it drops none.

    Returns:
        Columns id_hash and survivor, the id hash of the document that is kept instead.

    Raises:
        MissingOutputError: the rule has not been made.
    """
    schema = {"id_hash": pl.UInt64, "survivor": pl.UInt64}
    if DROPPED_TABLE not in read_rule_values(store, mix)["tables"]:
        return pl.DataFrame(schema=schema)
    path = store.table_path(mix_output(mix, SELECTION_RULE), DROPPED_TABLE)
    return store.read_table(path, list(schema))


def read_rule(store: Store, settings: Settings, mix: str) -> LoadedRule:
    """The rule of the mix of that name.

    Raises:
        MissingOutputError: it has not been made, it is of another method than the settings name, or
            its writing was interrupted.
    """
    asset, values = mix_output(mix, SELECTION_RULE), read_rule_values(store, mix)
    chosen = settings.mix_named(mix)
    again = f"materialise the asset {asset!r} again"
    if values["method"] != chosen.method:
        raise MissingOutputError(
            f"{store.path(asset, RULE_FILE)} is the rule of the method {values['method']!r}, the "
            f"settings name {chosen.method!r}: {again}"
        )
    tables = {}
    for name, fingerprint in values["tables"].items():
        path = store.table_path(asset, name)
        if store.fingerprint(path) != fingerprint:
            raise MissingOutputError(
                f"{path} is not the table that {RULE_FILE} names, because a step that wrote them "
                f"was interrupted: {again}"
            )
        tables[name] = store.read_table(path)
    dropped = tables.pop(DROPPED_TABLE, None)
    hashes = np.array([], dtype=np.uint64) if dropped is None else dropped["id_hash"].to_numpy()
    rule = chosen.implementation().rule.restored(StoredRule(values["rule"], tables))
    return LoadedRule(
        mix,
        rule,
        read_normalizers(store, settings, chosen),
        np.sort(hashes),
        values,
        pinned_fingerprints(store, chosen),
    )
