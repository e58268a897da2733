"""The progress of models that an op trains together, on the assets of all of them."""

import math

import dagster as dg

from quadmix_assets.defs.progress import observe_together
from quadmix_assets.training.progress import BatchProgress

_KEYS = [dg.AssetKey(["mixes", mix, "language_model"]) for mix in ("all", "half")]


@dg.op
def train(context: dg.OpExecutionContext) -> None:
    tell = observe_together(context, _KEYS)
    tell(512, BatchProgress(4, 0, 2_048, 0, math.nan, 0.0, math.inf))
    tell(512, BatchProgress(4, 1_024, 2_048, 1, 5.5, 100.0, 10.24))


@dg.job
def together() -> None:
    train()


def test_every_asset_has_the_loss_while_models_of_all_train() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert together.execute_in_process(instance=instance).success
        for key in _KEYS:
            records = instance.fetch_observations(key, limit=10).records
            last, first = (record.asset_observation for record in records)
            assert first is not None and last is not None
            # What is not known yet cannot be drawn.
            assert {"mean_loss_nats_512", "eta_seconds_512"}.isdisjoint(first.metadata)
            values = {name: value.value for name, value in last.metadata.items()}
            assert (values["done_512"], values["mean_loss_nats_512"]) == (0.5, 5.5)
            assert "2 mixes" in (last.description or "")
