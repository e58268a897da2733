"""Language models trained on finished mixes: the same tokens for every mix, several seeds each.

The k-th models of all mixes share their initial weights, the order of their data and the thinning
of their mixes, so that they differ by their documents alone.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import polars as pl
from upath import UPath

from quadmix_assets.corpus.tokenizer import (
    project_tokenizer,
    tokenizer_fingerprint,
)
from quadmix_assets.device import choose_device
from quadmix_assets.evidence.mix_tokens import MixSize, MixTokens, tokens_of_mixes
from quadmix_assets.evidence.model_card import model_card
from quadmix_assets.evidence.unfinished import remove_abandoned, unfinished_models
from quadmix_assets.hashing import hash_bytes
from quadmix_assets.mix.selections import MixRows, read_mix
from quadmix_assets.outputs import LANGUAGE_MODEL, mix_output
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings, TrainingSettings
from quadmix_assets.store import (
    DamagedOutputError,
    MissingOutputError,
    Store,
    atomic_folder,
    read_reusable,
)
from quadmix_assets.training.kept_weights import KeptStack, kept_model, kept_stacks
from quadmix_assets.training.progress import BatchProgress
from quadmix_assets.training.recipe import architecture_of
from quadmix_assets.training.records import ProxyTraining
from quadmix_assets.training.stacks import KeepWeights, Sample
from quadmix_assets.training.train_samples import prepare_samples, train_prepared

if TYPE_CHECKING:
    from torch import Tensor

    from quadmix_assets.training.loop import TrainedStack
    from quadmix_assets.training.model import StackedLM

# Above this size a model fills a device by itself.
_MOST_IN_A_STACK = 60_000_000
MODELS_SCHEMA = {
    "mix": pl.String,
    "budget": pl.Int64,
    "seed": pl.Int32,
    "status": pl.String,
    "reason": pl.String,
    "n_tokens": pl.Int64,
    "n_tokens_mix": pl.Int64,
    "epochs": pl.Float64,
    "train_loss_nats": pl.Float64,
    "n_parameters": pl.Int64,
    "engine": pl.String,
    "precision": pl.String,
    "folder": pl.String,
}
CURVES_SCHEMA = {
    "mix": pl.String,
    "budget": pl.Int64,
    "seed": pl.Int32,
    "n_tokens": pl.Int64,
    "loss_nats": pl.Float64,
}


@dataclass(frozen=True)
class StoredModel:
    """A trained model in the lake.

    Attributes:
        mix, budget, seed: which one; seeds count from 0.
        folder: of transformers.
        training: its row of the table of models.
    """

    mix: str
    budget: int
    seed: int
    folder: UPath
    training: Mapping[str, Any]


def models_path(store: Store, mix: str) -> UPath:
    """Where the table of a mix's models lies, columns of MODELS_SCHEMA."""
    return store.path(mix_output(mix, LANGUAGE_MODEL), "models.parquet")


def curves_path(store: Store, mix: str) -> UPath:
    """Where the training curves of a mix's models lie, columns of CURVES_SCHEMA."""
    return store.path(mix_output(mix, LANGUAGE_MODEL), "curves.parquet")


def settings_of_models(settings: Settings, budget: int) -> Settings:
    """The settings by which `train_samples` trains language models on `budget` tokens."""
    recipe = TrainingSettings(**settings.evidence.model.model_dump(), n_tokens_per_proxy=budget)
    proxies = settings.proxies.model_copy(
        # A mix is read as it is: no document gives less than it has.
        update={"training": recipe, "max_document_share": 1.0, "tensorboard": False}
    )
    return settings.model_copy(update={"proxies": proxies})


def train_language_models(
    store: Store,
    settings: Settings,
    mixes: Sequence[str],
    on_progress: Callable[[int, BatchProgress], None] | None = None,
) -> None:
    """Train the models of finished mixes, all in the same stacks, and store them.

    Models that are there already, of the same rows and by the same recipe, are kept. A run that
    was killed goes on at the last checkpoints; those that no run can resume any more, of other
    settings or documents, are removed.

    Args:
        store, settings: of the project.
        mixes: their names.
        on_progress: called with the budget and the progress of its trainings.

    Raises:
        MissingOutputError: a mix was not finished, or an input is not there.
        ValueError: no tokens can be read.
        RuntimeError: a worker process died, or a single model does not fit in memory.
    """
    # In one order, since models are numbered in it.
    wanted = {mix: read_mix(store, mix) for mix in sorted(set(mixes))}
    versions = {mix: _version(store, settings, rows) for mix, rows in wanted.items()}
    rows = [wanted[mix] for mix, of in versions.items() if not _is_current(store, mix, of)]
    remove_abandoned(store, lambda mix, version: _is_wanted(store, settings, mix, version))
    if not rows:
        return
    # Of those alone that are trained: others are not numbered.
    models = {each.mix: versions[each.mix] for each in rows}
    version = hash_bytes(json.dumps(models, sort_keys=True).encode())
    with unfinished_models(store, version, models) as unfinished:
        _train(store, settings, rows, models, version, unfinished, on_progress)
        store.remove_folder(unfinished)


def _train(
    store: Store,
    settings: Settings,
    rows: Sequence[MixRows],
    versions: Mapping[str, str],
    version: str,
    unfinished: UPath,
    on_progress: Callable[[int, BatchProgress], None] | None,
) -> None:
    """Train the models of mixes, and store them; checkpoints are put into `unfinished`."""
    from quadmix_assets.evidence.trainer_engine import train_by_trainer

    evidence = settings.evidence
    engine = engine_of(settings, project_tokenizer(store).get_vocab_size())
    keeps = {
        budget: KeepWeights(unfinished / f"{budget}_weights", version)
        for budget in evidence.budgets
    }
    with tokens_of_mixes(
        store, settings, rows, n_tokens=evidence.largest_budget, n_seeds=evidence.n_seeds
    ) as tokens:
        trainings = [
            prepare_samples(
                store,
                settings_of_models(settings, budget),
                tokens.folder,
                tokens.id_hashes,
                _samples(settings, tokens, budget),
                n_tokens_per_proxy=budget,
                unfinished_folder=unfinished / str(budget),
                inputs_version=versions,
                parts=(),
                keep=keep,
                engine=train_by_trainer if engine == "trainer" else None,
            )
            for budget, keep in keeps.items()
        ]
        once = {
            (each.mix, budget, k): tokens.n_tokens_once(
                tokens.selection(each.mix, budget, k), evidence.model.context
            )
            for each in rows
            for budget in evidence.budgets
            for k in range(evidence.n_seeds)
        }
        train_prepared(settings, trainings, [_of_budget(on_progress, budget) for budget in keeps])
    trained = {budget: _Kept(store, settings, budget, keep) for budget, keep in keeps.items()}
    for number, each in enumerate(rows):
        _store(store, settings, each, number, trained, once, versions[each.mix])


def engine_of(settings: Settings, vocab_size: int) -> Literal["stack", "trainer"]:
    """What trains the models: what the settings say, or what suits their size."""
    evidence = settings.evidence
    if evidence.engine != "auto":
        return evidence.engine
    n_parameters = architecture_of(
        settings_of_models(settings, evidence.largest_budget).proxies.training
    ).n_parameters(vocab_size)
    return "stack" if n_parameters <= _MOST_IN_A_STACK else "trainer"


class _Trained(NamedTuple):
    """A trained model: its record, its recipe, and its weights by the names of transformers."""

    training: ProxyTraining
    recipe: TrainingSettings
    weights: Mapping[str, "Tensor"]


class _Kept:
    """The trained models of a budget, read from where their weights were kept.

    One stack is in memory at a time. Models are asked for in their order, so that each stack is
    read once.
    """

    def __init__(self, store: Store, settings: Settings, budget: int, keep: KeepWeights) -> None:
        recipe = settings_of_models(settings, budget).proxies.training
        self._store, self._keep = store, keep
        self._architecture = architecture_of(recipe)
        self._vocab_size = project_tokenizer(store).get_vocab_size()
        self._places = {
            result.sample_id: (stack, place)
            for stack in kept_stacks(keep)
            for place, result in enumerate(stack.results)
        }
        self._loaded: tuple[KeptStack, StackedLM] | None = None

    def model(self, sample_id: int) -> _Trained:
        """One of them.

        Raises:
            RuntimeError: its weights were damaged since they were written.
        """
        from quadmix_assets.evidence.model_folder import of_transformers

        stack, place = self._places[sample_id]
        if self._loaded is None or self._loaded[0] is not stack:
            model = kept_model(stack, self._architecture, self._vocab_size)
            if model is None:
                self._store.remove_folder(self._keep.folder.parent)
                raise RuntimeError(
                    f"{stack.weights} was damaged after it was written: start the training again"
                )
            self._loaded = stack, model
        weights = of_transformers(self._loaded[1], place)
        return _Trained(stack.results[place].training, stack.recipe, weights)


def _of_budget(
    on_progress: Callable[[int, BatchProgress], None] | None, budget: int
) -> Callable[[BatchProgress], None] | None:
    return None if on_progress is None else lambda progress: on_progress(budget, progress)


def _version(store: Store, settings: Settings, rows: MixRows) -> str:
    """Of all that the models of a mix depend on."""
    evidence = settings.evidence
    used = {
        # Not the version of the mix: another manifest of the same rows trains nothing again.
        "rows": {shard: rows.checksum(shard) for shard in rows.shards},
        "tokenizer": tokenizer_fingerprint(project_tokenizer(store)),
        "shares": [MixSize.of(rows).share_for(budget) for budget in evidence.budgets],
        "model": evidence.model.model_dump(mode="json"),
        "budgets": evidence.budgets,
        "n_seeds": evidence.n_seeds,
        "engine": evidence.engine,
        "seed": settings.seed,
        # What a row says of a model; where that changes, tables are made again with their models.
        "rows_of": "epochs over distinct documents",
    }
    if settings.proxies.compile == "on":
        # It changes the last digits.
        used["compiled"] = "on"
    return hash_bytes(json.dumps(used, sort_keys=True).encode())


def _is_wanted(store: Store, settings: Settings, mix: str, version: str) -> bool:
    """Whether a run could ask for the models of a mix, of a version, that are not there yet."""
    if mix not in settings.mix_names:
        return False
    try:
        now = _version(store, settings, read_mix(store, mix))
    except (MissingOutputError, DamagedOutputError):
        return True  # It may come back as it was.
    if now != version:
        return False
    path = models_path(store, mix)
    trained = read_reusable(
        lambda: store.summary(path).get("version") if store.exists(path) else None,
        "the models of the mix are trained again",
    )
    return trained != version


def _is_current(store: Store, mix: str, version: str) -> bool:
    """Whether the models of a mix are of this version, and whole."""

    def look() -> bool:
        if store.summary(models_path(store, mix)).get("version") != version:
            return False
        store.read_table(curves_path(store, mix))
        for model in read_models(store, mix):
            with store.local_folder(model.folder):
                pass
        return True

    return bool(read_reusable(look, "the models of the mix are trained again"))


def _samples(settings: Settings, tokens: MixTokens, budget: int) -> list[Sample]:
    """The samples of all models of a budget: mix by mix, seed by seed."""
    n_seeds = settings.evidence.n_seeds
    seeds = [derive_seed(settings.seed, f"{LANGUAGE_MODEL}:{budget}:{k}") for k in range(n_seeds)]
    return [
        tokens.selection(mix, budget, k).sample(
            number * n_seeds + k, seed=seeds[k], order_seed=seeds[k]
        )
        for number, mix in enumerate(tokens.copies)
        for k in range(n_seeds)
    ]


def _store(
    store: Store,
    settings: Settings,
    rows: MixRows,
    number: int,
    trained: Mapping[int, _Kept],
    n_tokens_once: Mapping[tuple[str, int, int], int],
    version: str,
) -> None:
    """Write the models of the `number`-th mix as folders, then the tables that name them.

    Epochs are over what the model was given: a mix that was thinned to a budget repeats its
    documents as often as their copies say, though only a part of the mix is read.
    """
    from quadmix_assets.evidence.model_folder import write_model_folder

    tokenizer = project_tokenizer(store)
    engine = engine_of(settings, tokenizer.get_vocab_size())
    n_seeds = settings.evidence.n_seeds
    n_tokens_mix = int(rows.manifest["totals"]["n_tokens_out"])
    models: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    for budget in settings.evidence.budgets:
        recipe = settings_of_models(settings, budget).proxies.training
        architecture = architecture_of(recipe)
        for k in range(n_seeds):
            model = trained[budget].model(number * n_seeds + k)
            training = model.training
            row = {
                "mix": rows.mix,
                "budget": budget,
                "seed": k,
                "status": training.status,
                "reason": training.reason,
                "n_tokens": training.n_tokens,
                "n_tokens_mix": n_tokens_mix,
                "epochs": training.n_tokens / max(n_tokens_once[rows.mix, budget, k], 1),
                "train_loss_nats": training.train_loss[-1][1] if training.train_loss else None,
                "n_parameters": architecture.n_parameters(tokenizer.get_vocab_size()),
                "engine": engine,
                "precision": model.recipe.precision,
                "folder": f"{budget}_{k}" if training.status == "trained" else None,
            }
            if row["folder"] is not None:
                with atomic_folder(models_path(store, rows.mix).parent / f"{budget}_{k}") as folder:
                    write_model_folder(
                        folder,
                        model.weights,
                        architecture,
                        tokenizer,
                        card=model_card(rows, row, model.recipe),
                    )
            models.append(row)
            curves += [
                {"mix": rows.mix, "budget": budget, "seed": k, "n_tokens": n, "loss_nats": loss}
                for n, loss in training.train_loss
            ]
    store.write_table(curves_path(store, rows.mix), pl.DataFrame(curves, schema=CURVES_SCHEMA))
    # Last: where it is, the rest is.
    table = pl.DataFrame(models, schema=MODELS_SCHEMA)
    store.write_table(models_path(store, rows.mix), table, {"version": version})


def read_models(store: Store, mix: str) -> tuple[StoredModel, ...]:
    """The models of a mix that were trained to the end, budget by budget, seed by seed.

    Raises:
        MissingOutputError: they have not been trained.
        DamagedOutputError: their table is not what was written.
    """
    path = models_path(store, mix)
    return tuple(
        StoredModel(mix, row["budget"], row["seed"], path.parent / row["folder"], row)
        for row in store.read_table(path).iter_rows(named=True)
        if row["folder"] is not None
    )


def load_stack(store: Store, settings: Settings, models: Sequence[StoredModel]) -> "TrainedStack":
    """Stored models of one budget as one stack, for evaluation.

    Raises:
        MissingOutputError: a folder is not there.
        DamagedOutputError: weights are not what was written.
    """
    from quadmix_assets.evidence.model_folder import stack_of_weights
    from quadmix_assets.training.loop import TrainedStack

    recipe = settings_of_models(settings, models[0].budget).proxies.training
    model = stack_of_weights(
        [_weights(store, model) for model in models],
        architecture_of(recipe),
        project_tokenizer(store).get_vocab_size(),
    )
    records = tuple(
        ProxyTraining("trained", None, (), model.training["n_tokens"], model.training["epochs"])
        for model in models
    )
    used = recipe.model_copy(update={"precision": models[0].training["precision"]})
    device = choose_device(settings.proxies.device)
    return TrainedStack(model.to(device), used, records, 0.0)


def _weights(store: Store, model: StoredModel) -> bytes:
    from quadmix_assets.evidence.model_folder import WEIGHTS_FILE

    with store.local_folder(model.folder) as folder:
        return (folder / WEIGHTS_FILE).read_bytes()
