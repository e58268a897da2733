"""The asset that shows what criteria prefer, and its check on their directions."""

from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from scipy.stats import spearmanr

from quadmix_assets.features.report.domains import top_domain_shares
from quadmix_assets.outputs import DOMAIN_LABELS, RAW_SHARDS, SCORE_REPORT, SCORED_SHARDS
from quadmix_assets.stages import Stage
from quadmix_assets.whole_graph import _Runner
from quadmix_assets_tests.conftest import Project, write_profile

KEY = dg.AssetKey(SCORE_REPORT)
CHECK = dg.AssetCheckKey(KEY, "directions_are_plausible")


def metadata_of(instance: dg.DagsterInstance) -> dict[str, str]:
    event = instance.get_latest_materialization_event(KEY)
    assert event is not None and event.asset_materialization is not None
    return {name: str(one.value) for name, one in event.asset_materialization.metadata.items()}


def evaluation(instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation:
    (record,) = instance.event_log_storage.get_asset_check_execution_history(CHECK, 1)
    assert record.evaluation is not None
    return record.evaluation


def read_all(project: Project, asset: str) -> pl.DataFrame:
    return pl.concat(
        pl.read_parquet(str(path)) for path in sorted((project.store.root / asset).iterdir())
    )


def test_figures_and_tables_are_there(tiny: Project) -> None:
    with tiny.instance() as instance:
        metadata = metadata_of(instance)
    figures = {
        "scores",
        "rank_correlation",
        "domains",
        "domain_shares_before_and_after",
        "domain_by_criterion",
        "confidence",
    }
    for name in figures:
        assert metadata[name].startswith(f"![{name}](data:image/png;base64,")
        assert (tiny.store.root / "plots" / f"score_report.{name}.png").exists()
    assert "| heuristics |" in metadata["rank_correlation"], "the numbers stand below the figure"
    for name in tiny.settings.criterion_names:
        assert f"| {name} |" in metadata["directions"]
        assert metadata[f"extremes_{name}"].count("| top |") == 10
        assert metadata[f"extremes_{name}"].count("| bottom |") == 10
    assert "| law |" in metadata["documents_per_domain"]


def test_directions_are_those_that_the_planted_quality_says(tiny: Project) -> None:
    """A classifier of target text that learned from a few dozen documents is upside down indeed."""
    scored = read_all(tiny, SCORED_SHARDS)
    quality = read_all(tiny, RAW_SHARDS)["planted_quality"]
    wrong = {
        name
        for name in tiny.settings.criterion_names
        if spearmanr(scored[name], quality).statistic < 0
    }
    report = tiny.store.read_json(tiny.store.path(SCORE_REPORT, "score_report.json"))
    turned = {n for n, one in report["directions"].items() if one["verdict"] == "upside down?"}
    assert turned == wrong
    with tiny.instance() as instance:
        found = evaluation(instance)
    assert found.passed == (not wrong)
    assert found.severity == dg.AssetCheckSeverity.WARN
    for name in wrong:
        assert f"{name} is likely upside down" in (found.description or "")


def test_normalizers_keep_their_numbers(tiny: Project) -> None:
    with tiny.instance() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("score_normalizers"))
    assert event is not None and event.asset_materialization is not None
    found = event.asset_materialization.metadata
    assert {"n_shards", "n_documents", "n_tokens"} <= set(found)
    assert not [name for name in found if name.startswith("extremes")]


def test_extremes_are_those_of_all_shards(tiny: Project) -> None:
    scored = read_all(tiny, SCORED_SHARDS).sort("importance", "id", descending=[True, False])
    with tiny.instance() as instance:
        table = metadata_of(instance)["extremes_importance"]
    ids = [line.split(" | ")[3] for line in table.splitlines()[2:]]
    assert ids == [*scored["id"].head(10), *scored["id"].tail(10)]


def test_numbers_lie_in_the_lake(tiny: Project) -> None:
    report = tiny.store.read_json(tiny.store.path(SCORE_REPORT, "score_report.json"))
    names = tiny.settings.domain_names
    scored, labels = read_all(tiny, SCORED_SHARDS), read_all(tiny, DOMAIN_LABELS)
    counts = dict(labels.group_by("domain").len().iter_rows())
    assert report["documents_per_domain"] == {name: counts.get(name, 0) for name in names}
    shares = top_domain_shares(
        scored["heuristics"].to_numpy(),
        scored["n_tokens"].to_numpy(),
        labels["domain"].replace_strict({d: m for m, d in enumerate(names)}).to_numpy(),
        n_domains=len(names),
        top=0.1,
    )
    found = report["domain_shares_of_top"]["0.1"]["heuristics"]
    assert [found[name] for name in names] == shares.tolist()
    assert sum(report["documents_per_confidence"]) == labels.height


@pytest.mark.slow
def test_column_that_is_used_upside_down_is_named(tiny: Project, tmp_path: Path) -> None:
    project = tiny.copy(tmp_path / "copy")
    others = [{"kind": "heuristics"}, {"kind": "importance", "target": "planted"}]
    turned = {"kind": "column", "name": "quality", "column": "planted_quality"}
    for larger_is_better in (False, True):
        criteria = [*others, {**turned, "larger_is_better": larger_is_better}]
        write_profile(project.folder, features={"criteria": criteria})
        definitions = project.definitions()
        with project.instance() as instance:
            runner = _Runner(instance, definitions, project.store, project.settings, resume=False)
            for stage in (
                Stage(("fitted_models",)),
                Stage(("scored_shards",), "shard"),
                Stage(("score_normalizers",)),
                Stage(("score_report",)),
            ):
                assert runner.run(stage), "a warning stops nothing"
            found = evaluation(instance)
        assert found.passed == larger_is_better
        if not larger_is_better:
            assert found.severity == dg.AssetCheckSeverity.WARN
            words = found.description or ""
            assert "quality is likely upside down" in words
            assert "set larger_is_better: true for quality in features.criteria" in words
            assert "importance is" not in words


def test_report_without_texts_is_one_clear_error(tiny: Project, tmp_path: Path) -> None:
    project = tiny.copy(tmp_path / "copy")
    for path in (project.store.root / RAW_SHARDS).iterdir():
        path.unlink()
    definitions = project.definitions()
    with project.instance() as instance:
        runner = _Runner(instance, definitions, project.store, project.settings, resume=False)
        assert not runner.run(Stage(("score_report",)))
