"""`language_model` of a mix: models trained on it, by which mixes are compared."""

from typing import Any

import dagster as dg
import polars as pl

from quadmix_assets.defs.conditions import PINNED
from quadmix_assets.defs.corpus import tokenizer
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import (
    Cost,
    clear_errors,
    figure,
    readable_table,
    table_metadata,
)
from quadmix_assets.defs.mix_names import group_of, mix_key
from quadmix_assets.defs.needs import TRAINS_LANGUAGE_MODEL
from quadmix_assets.defs.progress import observe_budgets
from quadmix_assets.defs.resources import OWNERS, ProjectResource, version_of
from quadmix_assets.defs.retries import RETRY_ONCE
from quadmix_assets.evidence.language_model import (
    curves_path,
    models_path,
    train_language_models,
)
from quadmix_assets.evidence.model_plots import plot_training_curves
from quadmix_assets.outputs import LANGUAGE_MODEL, MIX_MANIFEST, mix_output
from quadmix_assets.report.markdown import whole
from quadmix_assets.settings import NamedMix
from quadmix_assets.store import MissingOutputError


def language_model(mix: NamedMix) -> dg.AssetsDefinition:
    """The asset `mixes/<name>/language_model`."""
    asset = mix_output(mix.name, LANGUAGE_MODEL)

    @dg.asset(
        key=mix_key(mix, LANGUAGE_MODEL),
        group_name=group_of(mix),
        kinds={"pytorch", "huggingface"},
        owners=OWNERS,
        code_version=version_of(asset, 3),
        deps=[mix_key(mix, MIX_MANIFEST), tokenizer],
        automation_condition=PINNED,
        pool="training",
        op_tags=TRAINS_LANGUAGE_MODEL,
        retry_policy=RETRY_ONCE,
        description=f"Language models trained on the mix `{mix.name}`: the same tokens, initial "
        "weights and order as those of every other mix, several seeds for each budget.\n\n"
        "Each is a folder that `AutoModelForCausalLM.from_pretrained` loads, with a tokenizer and "
        "a model card that names the mix and the version of its manifest. Models that are there "
        "already, of the same documents and by the same recipe, are kept; a training that was "
        "killed goes on at its last checkpoint. The job `train_language_models` trains those of "
        "all mixes together, which is faster. Epochs say how often a model read "
        "each of the documents that it was given, in the mean, copies included: above four, "
        "repetition costs (Muennighoff et al. 2023), and a larger mix or a smaller budget compares "
        "better.",
    )
    @faults_in_words
    def models(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
        cost = Cost()
        settings, store = project.settings, project.store
        with clear_errors(MissingOutputError, ValueError):
            train_language_models(store, settings, [mix.name], observe_budgets(context))
        path = models_path(store, mix.name)
        table = store.read_table(path)
        curves = plot_training_curves(store.read_table(curves_path(store, mix.name)))
        return materialized(
            project,
            asset,
            {
                **table_metadata(path, table.schema, table.height),
                **_numbers(table),
                "models": readable_table(_shown(table)),
                "curves": figure(store, asset, "curves", curves),
                "folders": str(path.parent),
                **cost.metadata(n_tokens=int(table["n_tokens"].sum())),
            },
            path=path,
        )

    return models


def _numbers(table: pl.DataFrame) -> dict[str, Any]:
    found: dict[str, Any] = {
        "n_models": table.height,
        "n_failed": table.filter(pl.col("status") == "failed").height,
        "n_parameters": int(table["n_parameters"][0]),
    }
    trained = table.filter(pl.col("status") == "trained")
    for (budget,), of_budget in trained.group_by("budget", maintain_order=True):
        found |= {
            f"train_loss_nats_{budget}": float(of_budget["train_loss_nats"].to_numpy().mean()),
            f"epochs_{budget}": float(of_budget["epochs"].to_numpy().mean()),
        }
    return found


def _shown(table: pl.DataFrame) -> pl.DataFrame:
    """One line per model."""
    return table.select(
        whole("budget"),
        "seed",
        "status",
        pl.col("epochs").round(3),
        pl.col("train_loss_nats").round(4).alias("training loss"),
        "engine",
        "precision",
        pl.coalesce("folder", "reason").alias("folder, or why it failed"),
    )


def models_are_trained(mix: NamedMix) -> dg.AssetChecksDefinition:
    """The check of `mixes/<name>/language_model`."""

    @dg.asset_check(asset=mix_key(mix, LANGUAGE_MODEL), name="models_are_trained")
    @faults_in_words
    def check(project: ProjectResource) -> dg.AssetCheckResult:
        """Whether all models were trained to the end; a failed one is missing in comparisons."""
        table = project.store.read_table(models_path(project.store, mix.name))
        failed = table.filter(pl.col("status") == "failed")
        return dg.AssetCheckResult(
            passed=failed.height == 0,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{table.height - failed.height} of {table.height} models were trained to "
            "the end"
            + (f"; the first failed because {failed['reason'][0]}" if failed.height else ""),
            metadata={"n_failed": failed.height},
        )

    return check
