"""What some mixes search or train for themselves: assets in the group of the mix."""

import dagster as dg
import polars as pl

from quadmix_assets.defs.conditions import PINNED
from quadmix_assets.defs.corpus import target_sets, tokenizer
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import (
    Cost,
    clear_errors,
    figure,
    readable_table,
    table_metadata,
)
from quadmix_assets.defs.needs import TRAINS
from quadmix_assets.defs.progress import observe_round
from quadmix_assets.defs.proxies import proxy_pool
from quadmix_assets.defs.resources import OWNERS, ProjectResource, version_of
from quadmix_assets.defs.retries import RETRY_ONCE
from quadmix_assets.defs.search import regressor
from quadmix_assets.mix.methods.climb import ClimbMethod
from quadmix_assets.outputs import (
    CLIMB_PROXIES,
    DOMAIN_PROXIES,
    OPTIMAL_PARAMS,
    mix_of,
)
from quadmix_assets.search.climb import climb_path, table_of_rounds, train_climb
from quadmix_assets.search.constraints import InfeasibleError
from quadmix_assets.search.own_search import search_for_mix, settings_of_search
from quadmix_assets.search.plots import plot_predicted_histogram, plot_theta
from quadmix_assets.search.space import make_space
from quadmix_assets.settings.mixes import NamedMix
from quadmix_assets.store import MissingOutputError


def own_assets(mix: NamedMix) -> list[dg.AssetsDefinition]:
    """The assets that only this mix has, because its rule is fitted on them.

    `optimal_params` of a mix with constraints of its own, `climb_proxies` of one by climb.
    """
    makers = {OPTIMAL_PARAMS: _optimal_params, CLIMB_PROXIES: _climb_proxies}
    parts = {asset: mix_of(asset) for asset in mix.fitted_on}
    return [makers[part[1]](mix, asset) for asset, part in parts.items() if part is not None]


def _optimal_params(mix: NamedMix, name: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=dg.AssetKey(name.split("/")),
        group_name=f"mix_{mix.name}",
        kinds={"numpy"},
        owners=OWNERS,
        code_version=version_of(name, 1),
        deps=[regressor, proxy_pool],
        automation_condition=PINNED,
    )
    @faults_in_words
    def optimal_params(
        context: dg.AssetExecutionContext, project: ProjectResource
    ) -> dg.MaterializeResult:
        """theta* that is searched for this mix alone, under its own constraints.

        The regressors are those of all mixes, so it costs no training; for the same reason this
        theta* is **predicted and not measured**: `verification` measures the candidates of the
        common search only. Criteria that are switched off have no weight, as in the paper's
        Table 2. The mix follows only when its `selection_rule` is made again.
        """
        cost = Cost()
        store = project.store
        settings = settings_of_search(project.settings, project.settings.mix_named(mix.name))
        with clear_errors(MissingOutputError, InfeasibleError, ValueError):
            optimum = search_for_mix(store, settings, mix.name)
            pool = make_space(store, settings).n_tokens
        result, unit = optimum.result, optimum.objective.unit
        theta, best = result.theta[0], float(optimum.measured.min())
        figures = {
            "theta": plot_theta(theta, settings.criterion_names, settings.domain_names, pool),
            "predicted_losses": plot_predicted_histogram(
                result.drawn_predicted,
                theta_star=result.predicted,
                best_measured=best,
                unit=unit,
                title=optimum.objective.name,
            ),
        }
        words = (
            f"predicted {result.predicted:.4f} ± {result.standard_deviation:.4f} {unit}, not "
            f"measured; the best proxy of the swarm, under no such constraints, measured {best:.4f}"
        )
        context.log.info(words)
        constraints = settings.search.constraints.model_dump(mode="json")
        return materialized(
            project,
            name,
            {
                "theta_star": dg.MetadataValue.text(words),
                "predicted": result.predicted,
                "standard_deviation": result.standard_deviation,
                "best_proxy": best,
                "constraints": dg.MetadataValue.json(constraints),
                **{key: figure(store, name, key, fig) for key, fig in figures.items()},
                "dagster/uri": str(store.root / name),
                **cost.metadata(),
            },
        )

    return optimal_params


def _climb_proxies(mix: NamedMix, name: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=dg.AssetKey(name.split("/")),
        group_name=f"mix_{mix.name}",
        kinds={"pytorch", "lightgbm", "parquet"},
        owners=OWNERS,
        code_version=version_of(name, 1),
        deps=[DOMAIN_PROXIES, proxy_pool, target_sets, tokenizer],
        automation_condition=PINNED,
        pool="training",
        op_tags=TRAINS,
        retry_policy=RETRY_ONCE,
    )
    @faults_in_words
    def climb_proxies(
        context: dg.AssetExecutionContext, project: ProjectResource
    ) -> dg.MaterializeResult:
        """Further rounds of proxies where the losses so far predict the best domain weights.

        Nemotron-CLIMB (arXiv:2504.13161): LightGBM is fitted to `domain_proxies` and all rounds so
        far, and each round trains some of the weightings that it predicts best. A run that was
        killed goes on where it was.
        """
        cost = Cost()
        settings, store = project.settings, project.store
        method = ClimbMethod(settings.mix_named(mix.name), store, settings)
        with clear_errors(MissingOutputError, ValueError):
            table = train_climb(store, settings, mix.name, method.rounds(), observe_round(context))
            rounds = table_of_rounds(store, settings, mix.name, method.rounds())
        path = climb_path(store, mix.name)
        return materialized(
            project,
            name,
            {
                **table_metadata(path, table.schema, table.height),
                "n_proxies": table["mixture_id"].n_unique(),
                "rounds": readable_table(rounds),
                "failed": readable_table(
                    table.filter(pl.col("status") == "failed")
                    .unique("mixture_id")
                    .select("mixture_id", "reason")
                    .sort("mixture_id")
                ),
                **cost.metadata(),
            },
            path=path,
        )

    return climb_proxies
