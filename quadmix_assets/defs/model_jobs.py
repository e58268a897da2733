"""The job that trains the language models of several mixes together."""

import dagster as dg
from pydantic import Field

from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.jobs import BackfillConfig, refuse_unknown, submit
from quadmix_assets.defs.metadata import clear_errors
from quadmix_assets.defs.needs import TRAINS_LANGUAGE_MODEL
from quadmix_assets.defs.progress import observe_together
from quadmix_assets.defs.resources import SETTINGS, ProjectResource
from quadmix_assets.evidence import language_model
from quadmix_assets.mix.versions import mixes_with_versions
from quadmix_assets.outputs import LANGUAGE_MODEL, mix_output
from quadmix_assets.store import MissingOutputError


class ModelsConfig(BackfillConfig):
    """What the launchpad asks for."""

    mixes: list[str] = Field(
        default_factory=list,
        description="names of the mixes whose models are trained; empty: all finished ones",
    )


@dg.op(
    pool="training",
    tags=TRAINS_LANGUAGE_MODEL,
    description="Trains models of several mixes, and requests their assets.",
)
@faults_in_words
def train_models(
    context: dg.OpExecutionContext, config: ModelsConfig, project: ProjectResource
) -> None:
    """Train the models of all chosen mixes in shared stacks; their assets find them made."""
    settings, store = project.settings, project.store
    refuse_unknown(config.mixes)
    finished = set(mixes_with_versions(store))
    mixes = config.mixes or [name for name in settings.mix_names if name in finished]
    if not mixes:
        raise dg.Failure("no mix is finished: run the job make_mixes first", allow_retries=False)
    assets = [mix_output(mix, LANGUAGE_MODEL) for mix in mixes]
    with clear_errors(MissingOutputError, ValueError):
        language_model.train_language_models(
            store,
            settings,
            mixes,
            observe_together(context, [*map(dg.AssetKey.from_user_string, assets)]),
        )
    submit(context, config, assets)


@dg.job(
    config={"ops": {"train_models": {"config": {"mixes": []}}}},
    description="Trains the language models of finished mixes all together, which is faster than "
    "mix by mix, then requests the asset `language_model` of each, which finds its models made. "
    "Models that are there stay. `mixes` in the launchpad names them, as in "
    "`mixes: [quadmix, random]`; by default those of all finished mixes are trained.",
)
def train_language_models() -> None:
    """Models of some mixes, or all."""
    train_models()


@dg.definitions
def model_jobs() -> dg.Definitions:
    """The job, where models are asked for."""
    return dg.Definitions(jobs=[train_language_models] if SETTINGS.evidence.enabled else [])
