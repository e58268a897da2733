import time

import dagster as dg

from quadmix_assets.defs.failed_checks import failed_checks


@dg.asset
def whole() -> None:
    """An asset without partitions."""


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
def parts() -> None:
    """An asset with partitions."""


def check_of(asset: dg.AssetsDefinition, name: str) -> dg.AssetChecksDefinition:
    """A check that always fails."""

    @dg.asset_check(asset=asset, name=name)
    def fails() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(
            passed=False,
            severity=dg.AssetCheckSeverity.WARN if asset is parts else dg.AssetCheckSeverity.ERROR,
            description=f"words of {name}",
        )

    return fails


@dg.asset_check(asset=whole)
def passes() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


WHOLE, PARTS = check_of(whole, "whole_fails"), check_of(parts, "parts_fail")
DEFINITIONS = dg.Definitions(assets=[whole, parts], asset_checks=[WHOLE, PARTS, passes])
GRAPH = DEFINITIONS.resolve_asset_graph()


def names(instance: dg.DagsterInstance) -> list[str]:
    return [check.name for check in failed_checks(instance, GRAPH)]


def test_failed_checks_come_with_asset_severity_and_words() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert failed_checks(instance, GRAPH) == []
        dg.materialize([whole, WHOLE, passes], instance=instance)
        dg.materialize([parts, PARTS], instance=instance, partition_key="a")
        first, second = failed_checks(instance, GRAPH)
    assert (first.asset, first.name, first.severity) == ("parts", "parts_fail", "WARN")
    assert (second.asset, second.name, second.severity) == ("whole", "whole_fails", "ERROR")
    assert second.description == "words of whole_fails"


def test_check_of_an_earlier_materialisation_is_left_out() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([whole, WHOLE], instance=instance)
        dg.materialize([parts, PARTS], instance=instance, partition_key="a")
        time.sleep(0.01)
        dg.materialize([parts], instance=instance, partition_key="b")
        assert names(instance) == ["parts_fail", "whole_fails"]
        dg.materialize([whole], instance=instance)
        assert names(instance) == ["parts_fail"]
        dg.materialize([whole, WHOLE], instance=instance)
        assert names(instance) == ["parts_fail", "whole_fails"]
