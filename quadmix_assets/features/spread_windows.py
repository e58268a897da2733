"""Scores or labels the windows of a large shard as tasks of a Ray cluster.

Every task checkpoints its windows in the lake, from models that it loads itself. The step that
writes the shard's table afterwards finds them computed, and computes what a lost task left undone.
So the table is the same, byte for byte.
"""

from collections.abc import Mapping

from quadmix_assets.corpus.token_encoder import TokenEncoder
from quadmix_assets.corpus.tokenizer import project_tokenizer
from quadmix_assets.features.inference import Runtime
from quadmix_assets.features.learned.fit import FittedModels, load_models
from quadmix_assets.features.score import N_TOKENS, checkpoint_labels, score_shard
from quadmix_assets.outputs import FITTED_MODELS, RAW_SHARDS, SCORED_SHARDS
from quadmix_assets.settings import Settings
from quadmix_assets.store import BATCH_ROWS, Store


def spread_windows(
    store: Store, settings: Settings, asset: str, shard: str, fingerprints: Mapping[str, str]
) -> None:
    """Checkpoint the windows of a shard by tasks, if the settings ask for it and it is large.

    Args:
        store, settings: the lake, and what it is made with.
        asset: `scored_shards` or `domain_labels`.
        shard: the partition.
        fingerprints: of the inputs, as in `score_shard`.

    Raises:
        MissingOutputError: raw_shards does not hold the shard.
        RuntimeError: there is no cluster, or tasks were lost too often.
    """
    tasks, size = settings.execution.window_tasks, settings.execution.ray.windows_per_task
    if tasks is None or size is None:
        return
    n_windows = -(-store.n_rows(store.table_path(RAW_SHARDS, shard)) // BATCH_ROWS)
    if n_windows <= size:
        return
    parts = [range(first, min(first + size, n_windows)) for first in range(0, n_windows, size)]
    calls = [(store, settings, asset, shard, dict(fingerprints), part) for part in parts]
    for _ in tasks.run(_checkpoint, calls):
        pass


def _checkpoint(
    store: Store,
    settings: Settings,
    asset: str,
    shard: str,
    fingerprints: Mapping[str, str],
    only: range,
) -> None:
    models = _models(store, settings, fingerprints[FITTED_MODELS])
    if asset == SCORED_SHARDS:
        keys = {**models.fingerprints, N_TOKENS: fingerprints["tokenizer"]}
        counter = TokenEncoder(project_tokenizer(store))
        score_shard(store, shard, models.criteria, counter, fingerprints, keys, only=only)
    else:
        checkpoint_labels(store, shard, models.domains, fingerprints, models.fingerprints, only)


# The models that this process has loaded last: it is given many tasks of the same models.
_loaded: dict[tuple[str, str], FittedModels] = {}


def _models(store: Store, settings: Settings, fingerprint: str) -> FittedModels:
    key = (str(store.root), fingerprint)
    if key not in _loaded:
        _loaded.clear()
        with store.local_folder(store.root / FITTED_MODELS) as folder:
            _loaded[key] = load_models(folder, settings, Runtime.of(settings))
    return _loaded[key]
