import dagster as dg

from quadmix_assets.defs.mix_links import gather_links
from quadmix_assets.mix.links import Link
from quadmix_assets.outputs import PROXY_METRICS, REGRESSOR, TOKENIZER


def report(
    instance: dg.DagsterInstance, asset: str, version: str, partition: str | None = None
) -> None:
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            dg.AssetKey.from_user_string(asset),
            partition=partition,
            tags={"dagster/data_version": version},
        )
    )


def test_links_are_of_the_version_that_the_mix_was_made_from() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for version in ("old", "of the mix", "of the mix", "newer"):
            report(instance, REGRESSOR, version)
        report(instance, TOKENIZER, "only")
        known: dict[tuple[str, str | None], Link] = {}
        versions = {REGRESSOR: "of the mix", TOKENIZER: "forgotten"}
        links = gather_links(instance, [TOKENIZER, REGRESSOR], {}, known, versions)
        assert [(link.asset, link.version) for link in links] == [
            (TOKENIZER, "only"),
            (REGRESSOR, "of the mix"),
        ]
        # The later one of the two with that version.
        events = instance.fetch_materializations(dg.AssetKey(REGRESSOR), limit=4).records
        assert links[1].event == events[1].storage_id
        assert gather_links(instance, ["never_made"], {}, known, {}) == []


def test_partitions_have_their_last_materialisation() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for batch, version in (("b-0", "1"), ("b-1", "2"), ("b-0", "3"), ("b-2", "4")):
            report(instance, PROXY_METRICS, version, batch)
        parts = {PROXY_METRICS: ["b-0", "b-1"]}
        links = gather_links(instance, [PROXY_METRICS], parts, {}, {})
        assert [(link.partition, link.version) for link in links] == [("b-0", "3"), ("b-1", "2")]
        known = {(link.asset, link.partition): link for link in links}
        assert gather_links(instance, [PROXY_METRICS], parts, known, {}) == links
