"""A small lake with two mixes of one pool, for the tests of explanations and lineage."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from quadmix_assets.corpus.tokenizer import tokenizer_path
from quadmix_assets.features.normalizers import fit_normalizer
from quadmix_assets.features.scored_documents import read_scored
from quadmix_assets.mix.final_mix import mix_shard
from quadmix_assets.mix.manifest import tables_of, write_manifest
from quadmix_assets.mix.methods.domain_rule import DomainRule
from quadmix_assets.mix.methods.theta_rule import ThetaRule
from quadmix_assets.mix.pool import read_documents
from quadmix_assets.mix.rule import Rule
from quadmix_assets.mix.stored_rule import read_rule, read_rule_values, write_rule
from quadmix_assets.mix.versions import keep_version
from quadmix_assets.outputs import FINAL_MIX, FITTED_MODELS, SCORE_NORMALIZERS, mix_output
from quadmix_assets.sampling import Theta
from quadmix_assets.settings import PROFILES_FOLDER, Settings, load_settings
from quadmix_assets.store import Store
from quadmix_assets_tests.lakes import put_raw, put_scored

CRITERIA = ("importance", "heuristics")
SHARDS = {"a": 300, "b": 90}
SEED = 3
THETA_MIX, DOMAIN_MIX, UNMADE_MIX = "quadmix", "by_domain", "quadmix_paper"
MIXES: list[dict[str, Any]] = [
    {"method": "quadmix"},
    {"method": "regmix", "name": DOMAIN_MIX, "tokens": 9_000},
    {"method": "quadmix_paper"},
]


def settings_of(folder: Path) -> Settings:
    """The demo's settings with two criteria and three mixes."""
    demo = yaml.safe_load((PROFILES_FOLDER / "demo.yaml").read_text())
    criteria = [{"kind": "importance", "target": "planted"}, {"kind": "heuristics"}]
    demo |= {"mixes": MIXES, "production": THETA_MIX, "lake": str(folder / "lake")}
    demo["features"] |= {"criteria": criteria}
    path = folder / "explained.yaml"
    path.write_text(yaml.safe_dump(demo))
    return load_settings(path)


def theta_of(settings: Settings) -> Theta:
    """Every domain differs in weights and curve."""
    n = len(settings.domain_names)
    alpha = np.linspace(0.2, 0.8, n)
    return Theta(
        alpha=np.column_stack([alpha, 1 - alpha]),
        lam=np.linspace(1.0, 80.0, n),
        omega=np.linspace(0.3, 0.7, n),
        eta=np.linspace(0.2, 1.0, n),
        epsilon=np.linspace(0.0, 0.05, n),
    )


def fill(store: Store, settings: Settings) -> None:
    """Two scored and mixed shards, and one that is not scored yet."""
    random = np.random.default_rng(0)
    for key, n in SHARDS.items():
        rows = [{"id": f"{key}-{i:03}", "text": f"text {i} of **{key}**"} for i in range(n)]
        put_raw(store, key, [*rows, rows[1] | {"text": "the same id again"}])
        scores = {name: random.integers(0, 60, n) / 8 for name in CRITERIA}
        domains = random.choice(np.array(settings.domain_names), n).tolist()
        put_scored(store, key, scores, domains, random.integers(1, 300, n))
    put_raw(store, "new", [{"id": "new-0", "text": "not scored yet"}])
    store.write_json(tokenizer_path(store), {})
    store.write_json(store.path(FITTED_MODELS, "models.json"), {})
    pool = read_scored(store, list(SHARDS), CRITERIA, settings.domain_names)
    for number, name in enumerate(CRITERIA):
        sigma = fit_normalizer("rank", pool.scores[:, number], pool.n_tokens, max_breakpoints=1_000)
        store.write_table(store.table_path(SCORE_NORMALIZERS, name), sigma.to_frame())
    put_rule(store, settings, THETA_MIX, theta_rule(store, settings, theta_of(settings)))
    documents = read_documents(store, list(SHARDS), settings, settings.mix_named(DOMAIN_MIX))
    weights = np.ones(len(settings.domain_names))
    put_rule(
        store, settings, DOMAIN_MIX, DomainRule.fit(documents, weights, tokens=9_000, seed=SEED)
    )
    for mix in (THETA_MIX, DOMAIN_MIX):
        mix_all(store, settings, mix)


def theta_rule(store: Store, settings: Settings, theta: Theta) -> ThetaRule:
    """The rule of a theta on the pool."""
    pool = read_documents(store, list(SHARDS), settings, settings.mix_named(THETA_MIX))
    return ThetaRule.fit(
        pool, theta, criteria=CRITERIA, tokens=None, seed=SEED, max_breakpoints=10_000
    )


def put_rule(store: Store, settings: Settings, mix: str, rule: Rule) -> None:
    """Store the rule of a mix."""
    write_rule(store, settings.mix_named(mix), rule.stored(), {"expected_tokens": []})


def mix_all(store: Store, settings: Settings, mix: str) -> None:
    """Mix all shards that are scored."""
    loaded = read_rule(store, settings, mix)
    for shard in SHARDS:
        mix_shard(store, shard, settings, mix, loaded)


def finish(store: Store, settings: Settings, mix: str) -> str:
    """Write the manifest of a mix as it is, as far as versions need it, and keep it."""
    fitted = read_rule_values(store, mix)
    paths = {key: store.table_path(mix_output(mix, FINAL_MIX), key) for key in SHARDS}
    tables = tables_of(store, settings, settings.mix_named(mix))
    manifest = {
        "mix": mix,
        "domains": list(settings.domain_names),
        "n_tokens_in_per_domain": [1] * len(settings.domain_names),
        "totals": {"n_documents_out": 1, "n_tokens_out": 1, "n_tokens_in": 1},
        "fingerprints": {},
        "tables": {name: store.fingerprint(path) for name, path in tables.items()},
        "shards": {key: {"checksum": store.seal(path)} for key, path in paths.items()},
        **{key: fitted[key] for key in ("method", "options", "rule")},
    }
    write_manifest(store, settings, manifest)
    return keep_version(store, mix)


def filled_store(settings: Settings, *finished: str) -> Store:
    """The lake of the settings as `fill` fills it, with some mixes finished."""
    store = Store(settings.resolve(settings.lake))
    fill(store, settings)
    for mix in finished:
        finish(store, settings, mix)
    return store
