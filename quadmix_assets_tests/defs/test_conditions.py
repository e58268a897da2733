"""What shows several assets follows those that were made, though one failed in the same run."""

import dagster as dg

from quadmix_assets.defs.conditions import with_any_of

_MIXES = [dg.AssetKey("one"), dg.AssetKey("two")]


@dg.asset
def one() -> None:
    pass


@dg.asset
def two() -> None:
    raise dg.Failure("no such mix", allow_retries=False)


@dg.asset(deps=_MIXES, automation_condition=with_any_of(_MIXES, "a mix changed"))
def shown() -> None:
    pass


def test_a_failed_mix_holds_up_nothing_that_shows_all() -> None:
    definitions = dg.Definitions([one, two, shown])
    with dg.DagsterInstance.ephemeral() as instance:
        before = dg.evaluate_automation_conditions(definitions, instance)
        assert before.total_requested == 0
        together = dg.materialize([one, two, shown], instance=instance, raise_on_error=False)
        assert not together.asset_materializations_for_node("shown"), "Dagster skips it"
        after = dg.evaluate_automation_conditions(definitions, instance, cursor=before.cursor)
        assert after.get_num_requested(dg.AssetKey("shown")) == 1
        assert dg.materialize([one, shown], selection=["shown"], instance=instance).success
        later = dg.evaluate_automation_conditions(definitions, instance, cursor=after.cursor)
        assert later.total_requested == 0
