"""Group `search`: theta* against baselines, measured with proxies."""

import dagster as dg
from pydantic import Field

from quadmix_assets.defs.conditions import PINNED
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import Cost, clear_errors, figure, markdown_table, table_metadata
from quadmix_assets.defs.progress import observe_progress
from quadmix_assets.defs.proxies import proxy_pool
from quadmix_assets.defs.refinement import GROUP
from quadmix_assets.defs.resources import OWNERS, ProjectResource, version_of
from quadmix_assets.defs.search import optimal_params
from quadmix_assets.outputs import OPTIMUM_CHECK, PROXY_POOL, SAMPLED_SUBSET
from quadmix_assets.proxies.evidence import read_evidence
from quadmix_assets.proxies.proxy_pool import open_index, read_documents, token_folder
from quadmix_assets.sampling import PoolDraw
from quadmix_assets.search.objective import Objective
from quadmix_assets.search.optimum_check import (
    best_of_first_round,
    check_table,
    compare,
    compared_thetas,
    objective_by_seed,
    samples_of,
    selections,
    theta_star,
)
from quadmix_assets.search.optimum_plots import plot_optimum_check
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import SettingsError, with_search
from quadmix_assets.store import MissingOutputError
from quadmix_assets.training.train_samples import train_samples


class CheckConfig(dg.Config):
    """What one check of theta* may do differently from the settings."""

    n_seeds: int | None = Field(
        default=None,
        ge=1,
        description="models that are trained with different seeds on each sample; more of them "
        "narrow the confidence intervals. Empty: as search.check_seeds says",
    )


@dg.asset(
    group_name=GROUP,
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    code_version=version_of(OPTIMUM_CHECK, 2),
    deps=[optimal_params, proxy_pool],
    automation_condition=PINNED,
    pool="training",
    retry_policy=dg.RetryPolicy(max_retries=1),
)
@faults_in_words
def optimum_check(
    context: dg.AssetExecutionContext, config: CheckConfig, project: ProjectResource
) -> dg.MaterializeResult:
    """Proxies trained on the samples of theta* and of baselines, several seeds each.

    The prediction put to the test. Baselines are the best theta of the swarm, documents at random,
    and the best documents by each single criterion (compare the paper's Table 1). Measured
    objectives are shown with their intervals, next to the predictions. Do not make a mix from a
    theta* that does not beat the first of them.
    """
    cost = Cost()
    store = project.store
    with clear_errors(SettingsError):
        settings = with_search(project.settings, check_seeds=config.n_seeds)
    seeds = [
        derive_seed(settings.seed, f"{OPTIMUM_CHECK}:{k}")
        for k in range(settings.search.check_seeds)
    ]
    with clear_errors(MissingOutputError, ValueError):
        thetas, predicted = compared_thetas(store, settings)
        columns = ["id_hash", "n_tokens", *(f"sigma_{name}" for name in settings.criterion_names)]
        unfinished_folder = store.root / f"{OPTIMUM_CHECK}_unfinished"
        with store.local_folder(store.root / PROXY_POOL) as folder:
            documents = read_documents(folder, columns)
            chosen = selections(
                PoolDraw(
                    open_index(folder, settings),
                    documents["id_hash"],
                    derive_seed(settings.seed, SAMPLED_SUBSET),
                    max_epsilon=max(float(theta.epsilon.max()) for theta in thetas.values()),
                ),
                documents["id_hash"],
                documents["n_tokens"],
                {name: documents[f"sigma_{name}"] for name in settings.criterion_names},
                thetas,
                reference=theta_star(settings.mix_objective),
                seed=derive_seed(settings.seed, f"{OPTIMUM_CHECK}:uniform"),
            )
            samples, names = samples_of(chosen, seeds)
            result = train_samples(
                store,
                settings,
                token_folder(folder),
                documents["id_hash"],
                samples,
                n_tokens_per_proxy=settings.proxies.training.n_tokens_per_proxy,
                on_progress=observe_progress(context),
                unfinished_folder=unfinished_folder,
                inputs_version={PROXY_POOL: store.fingerprint(store.root / PROXY_POOL)},
            )
    losses = names.join(result.metrics, on="sample_id", maintain_order="left_right").drop(
        "sample_id"
    )
    path = store.table_path(OPTIMUM_CHECK)
    store.write_table(path, losses, {"predicted": predicted})
    store.remove_folder(unfinished_folder)
    figures, tables = {}, {}
    metrics = read_evidence(store, settings).metrics
    for wanted in settings.objectives:
        objective = Objective.of(wanted, metrics)
        relevant = {k: v for k, v in predicted.items() if k.endswith(f"({wanted.name})")}
        table = check_table(objective_by_seed(losses, objective), relevant)
        tables[f"table_{wanted.name}"] = markdown_table(table)
        figures[f"check_{wanted.name}"] = plot_optimum_check(
            table, unit=objective.unit, title=wanted.name
        )
    return materialized(
        project,
        OPTIMUM_CHECK,
        {
            **table_metadata(path, losses.schema, losses.height),
            **tables,
            **{name: figure(store, OPTIMUM_CHECK, name, fig) for name, fig in figures.items()},
            "tokens_per_second": result.tokens_per_second,
            "launched_with": dg.MetadataValue.json({"check_seeds": settings.search.check_seeds}),
            **cost.metadata(),
        },
        path=path,
    )


@dg.asset_check(asset=optimum_check)
@faults_in_words
def theta_star_beats_the_swarm(project: ProjectResource) -> dg.AssetCheckResult:
    """Whether theta* has a lower measured objective than the best theta of the first round."""
    settings, store = project.settings, project.store
    losses = store.read_table(store.table_path(OPTIMUM_CHECK))
    metrics = read_evidence(store, settings).metrics
    verdicts, gains = [], {}
    for wanted in settings.objectives:
        objective = Objective.of(wanted, metrics)
        by_seed = objective_by_seed(losses, objective)
        verdict = compare(by_seed, theta_star(wanted.name), best_of_first_round(wanted.name))
        verdicts.append(f"theta* of {wanted.name!r} {verdict.in_words(objective.unit)}")
        gains[wanted.name] = verdict.gain
    return dg.AssetCheckResult(
        passed=gains[settings.mix_objective] > 0,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(verdicts),
        metadata={f"gain_{name}": gain for name, gain in gains.items()},
    )
