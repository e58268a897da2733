"""The whole graph on files as users bring them, and on what can be wrong with them."""

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest
import zstandard
from upath import UPath

from quadmix_assets.cli import main
from quadmix_assets.mix.manifest import manifest_path
from quadmix_assets.mix.stored_rule import read_rule_values
from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    FINAL_MIX,
    INPUT_CHECK,
    MIX_EXPORT,
    OPTIMAL_PARAMS,
    PLANTED_CORPUS,
    RAW_SHARDS,
    REGRESSOR,
    SCORED_SHARDS,
    SELECTION_RULE,
    mix_output,
)
from quadmix_assets.proxies.parameter_sets import batch_names
from quadmix_assets.sampling import (
    draw_copies,
    merge_scores,
    rank_within_domains,
    sampling_value,
)
from quadmix_assets.sampling.theta_json import theta_from_json
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import PROFILE_VARIABLE, load_settings
from quadmix_assets.stages import Stage, cut_into_stages
from quadmix_assets.store import Store
from quadmix_assets.whole_graph import _Runner, graph_of
from quadmix_assets_tests.conftest import TINY, Project, definitions_of, instance_in
from quadmix_assets_tests.features.texts import TOPICS, prose, spam
from quadmix_assets_tests.lakes import write_lines

DOCUMENTS = mix_output("quadmix", FINAL_MIX)
RULE = mix_output("quadmix", SELECTION_RULE)
LABELS = {"Recht": "law", "cooking": "cooking", "astronomy": "unknown", None: "unknown"}


def test_every_asset_has_one_stage_after_what_it_depends_on(tmp_path: Path) -> None:
    parents, partitions = graph_of(Project(tmp_path).definitions())
    assert len(parents) > 15
    stages = cut_into_stages(parents, partitions)
    assets = [asset for stage in stages for asset in stage.assets]
    assert sorted(assets) == sorted(parents)
    made: set[str] = set()
    for stage in stages:
        assert {partitions[asset] for asset in stage.assets} == {stage.partitions}
        for asset in stage.assets:
            assert parents[asset] <= made, asset
            made.add(asset)
    assert stages[:2] == (Stage((PLANTED_CORPUS,)), Stage((RAW_SHARDS,), "shard"))


def test_files_are_checked_and_read_before_any_other_work(tmp_path: Path) -> None:
    parents, partitions = graph_of(files_project(tmp_path).definitions())
    assert PLANTED_CORPUS not in parents
    assert cut_into_stages(parents, partitions)[:2] == (
        Stage((INPUT_CHECK,)),
        Stage((RAW_SHARDS,), "shard"),
    )


def documents(name: str, n: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(n)
    labels = list(LABELS)
    return [
        {
            "doc": f"{name}/{k}",
            "meta": {"body": prose(rng, 4, list(TOPICS)[k % 3]) if k % 5 else spam(rng, 40)},
            "kind": labels[k % 4],
            "perplexity": int(rng.integers(5, 60)) if k % 3 else float(rng.normal(30, 5)),
        }
        for k in range(n)
    ]


def files_project(folder: Path, **changes: Any) -> Project:
    """Criteria and domains from columns, texts in a nested field, one target by a template."""
    rng = np.random.default_rng(0)
    # No two of them share a run of words: near-duplicates stand in one part of a target set.
    pairs = [
        {"prompt": f"{k}?", "response": " ".join(rng.choice(TOPICS["law"], 40))} for k in range(30)
    ]
    write_lines(folder / "pairs.jsonl", pairs)
    return Project(
        folder,
        corpus={
            "source": "files",
            "raw": "raw",
            "id_column": "doc",
            "text_column": "meta.body",
            "carried_columns": {"kind": "string", "perplexity": "float"},
        },
        targets=[{"name": "law", "path": "pairs.jsonl", "template": "{prompt}\n{response}"}],
        features={
            "criteria": [
                {"kind": "column", "name": "fluency", "column": "perplexity",
                 "larger_is_better": False},
                {"kind": "heuristics"},
            ],
            "domains": {"kind": "column", "column": "kind", "names": ["law", "cooking"],
                        "mapping": {"Recht": "law"}},
        },
        search={"objectives": [{"name": "planted", "targets": {"law": 1.0}}]},
        parameters={"n": 12},
        proxies={
            "batch_size": 12,
            "training": {**TINY["proxies"]["training"], "n_tokens_per_proxy": 1_024},
        },
        mix={"export": {"format": "jsonl.zst"}},
        **changes,
    )  # fmt: skip


def quadmix(project: Project, *arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and error of the command, with the profile's own instance."""
    definitions_of(project.profile)
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setenv(PROFILE_VARIABLE, "demo")
        patch.setenv("DAGSTER_HOME", "set, so that it is put back")
        patch.delenv("DAGSTER_HOME")
        status = main(["--profile", str(project.profile), *arguments])
    return status, out.getvalue(), err.getvalue()


@contextlib.contextmanager
def instance_of(project: Project) -> Iterator[dg.DagsterInstance]:
    """The instance that the command wrote to."""
    home = project.folder / "data" / "dagster" / "tiny"
    with instance_in(home), dg.DagsterInstance.get() as instance:
        yield instance


def materializations(project: Project) -> dict[str, int]:
    """How often each asset was materialised, partitions counted one by one.

    The overview is left out, which every run writes at its end.
    """
    with instance_of(project) as instance:
        return {
            key.to_user_string(): len(instance.fetch_materializations(key, limit=100).records)
            for key in set(instance.all_asset_keys()) - {dg.AssetKey("overview")}
        }


class Run:
    """A project that was run, and what the command said."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.status, self.out, self.err = quadmix(project, "run")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Two good shards of several formats, one without documents, and one that cannot be read."""
    folder = tmp_path_factory.mktemp("files")
    project = files_project(folder)
    raw = folder / "raw"
    write_lines(raw / "sub" / "lines.jsonl", documents("lines", 130))
    pl.DataFrame(documents("table", 90)).write_parquet(raw / "table.parquet")
    (raw / "a-empty.jsonl").write_text("")
    (raw / "broken.jsonl.gz").write_bytes(b"this is no gzip")
    yield Run(project)


BROKEN = "broken.jsonl.gz"
GOOD = ["a-empty.jsonl", "sub__lines.jsonl", "table.parquet"]


def read_all(project: Project, asset: str) -> pl.DataFrame:
    store = project.store
    return pl.concat(store.read_table(store.table_path(asset, shard)) for shard in GOOD)


def test_one_unreadable_shard_does_not_stop_the_others(files: Run) -> None:
    assert files.status == 0
    assert "broken.jsonl.gz is set aside: " in files.err
    assert "shards_are_usable" in files.out, "the summary repeats the check"
    assert "broken.jsonl.gz: " in files.out
    manifest = files.project.store.read_json(manifest_path(files.project.store, "quadmix"))
    assert sorted(manifest["shards"]) == sorted([*GOOD, BROKEN])
    assert manifest["shards"][BROKEN]["counts"]["n_documents_in"] == 0
    assert manifest["totals"]["n_documents_in"] == 220
    assert manifest["shards"]["a-empty.jsonl"]["counts"]["n_documents_in"] == 0
    assert f"{'documents':22}{220:>14,}" in files.out
    with instance_of(files.project) as instance:
        for asset in (RAW_SHARDS, SCORED_SHARDS, DOMAIN_LABELS, DOCUMENTS):
            done = instance.get_materialized_partitions(dg.AssetKey.from_user_string(asset))
            assert done == {*GOOD, BROKEN}, "a failed partition would end a backfill"


def test_columns_give_scores_and_domains(files: Run) -> None:
    rows = {row["doc"]: row for row in documents("lines", 130) + documents("table", 90)}
    scored = read_all(files.project, SCORED_SHARDS)
    assert set(scored["id"]) == set(rows)
    assert scored["fluency"].to_list() == [-rows[i]["perplexity"] for i in scored["id"]]
    labels = read_all(files.project, DOMAIN_LABELS)
    assert labels["domain"].to_list() == [LABELS[rows[i]["kind"]] for i in labels["id"]]


def test_mix_is_what_the_columns_and_theta_say(files: Run) -> None:
    """Eqs. 1 to 3 on the input's own values; sigma by counting tokens."""
    settings, store = files.project.settings, files.project.store
    scored = read_all(files.project, SCORED_SHARDS)
    n_tokens = scored["n_tokens"].to_numpy()
    sigma = np.column_stack(
        [
            [n_tokens[scores >= score].sum() / n_tokens.sum() for score in scores]
            for scores in (scored[name].to_numpy() for name in ("fluency", "heuristics"))
        ]
    )
    worst = scored["fluency"].arg_min()
    assert worst is not None
    assert sigma[worst, 0] == 1.0, "the largest perplexity is the worst"
    domains = np.array(
        [settings.domain_names.index(d) for d in read_all(files.project, DOMAIN_LABELS)["domain"]]
    )
    theta = theta_from_json(read_rule_values(store, "quadmix")["rule"]["theta"])
    ranks = rank_within_domains(merge_scores(sigma, domains, theta.alpha), domains, n_tokens)
    values = sampling_value(ranks, domains, *theta[1:])
    copies = draw_copies(values, scored["id"].to_list(), derive_seed(settings.seed, FINAL_MIX))
    mix = read_all(files.project, DOCUMENTS)
    assert mix["id"].to_list() == scored["id"].filter(pl.Series(copies > 0)).to_list()
    assert mix["copies"].to_list() == copies[copies > 0].tolist()
    assert 0 < mix.height < 220


def test_export_is_the_texts_of_the_mix(files: Run) -> None:
    texts = {r["doc"]: r["meta"]["body"] for r in documents("lines", 130) + documents("table", 90)}
    store = files.project.store
    for shard in GOOD:
        mix = store.read_table(store.table_path(DOCUMENTS, shard))
        path = store.path(mix_output("quadmix", MIX_EXPORT), f"{shard}.jsonl.zst")
        data = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read()
        assert [json.loads(line) for line in data.split(b"\n")[:-1]] == [
            {"id": i, "text": texts[i]}
            for i, copies in mix.select("id", "copies").iter_rows()
            for _ in range(copies)
        ]


def test_resumed_run_does_nothing_twice(files: Run) -> None:
    before = materializations(files.project)
    assert before[DOCUMENTS] == 4
    status, out, _ = quadmix(files.project, "run", "--resume")
    assert status == 0
    assert out == files.out
    assert materializations(files.project) == before


def test_resumed_run_makes_what_is_missing_and_nothing_beside_it(
    files: Run, tmp_path: Path
) -> None:
    project = files.project.copy(tmp_path / "copy")
    before = materializations(project)
    missing = ["score_report", "target_overlap"]
    with instance_of(project) as instance:
        instance.wipe_assets([dg.AssetKey(asset) for asset in missing])
    assert materializations(project).keys() == before.keys() - set(missing)
    assert quadmix(project, "run", "--resume")[0] == 0
    assert materializations(project) == before


def test_a_later_round_is_trained_and_everything_after_it_is_made_again(
    files: Run, tmp_path: Path
) -> None:
    project = files.project.copy(tmp_path / "copy")
    before = materializations(project)
    optimum = project.store.path(OPTIMAL_PARAMS, "planted.json")
    prediction = project.store.read_json(optimum)["prediction"]
    assert prediction["n_proxies"] == 12
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUADMIX_SEARCH__REFINE__ROUNDS", "1")
        status, _, err = quadmix(project, "run", "--resume")
        assert status == 0, err
        assert quadmix(project, "run", "--resume")[0] == 0
    assert batch_names(project.store, 1) == ["round-1-batch-00000"]
    refitted = project.store.read_json(optimum)["prediction"]
    assert refitted["n_proxies"] == 15, "a quarter of 12 thetas more"
    assert refitted["best_proxy_measured"] <= prediction["best_proxy_measured"]
    with instance_of(project) as instance:
        (regressed,) = instance.fetch_materializations(dg.AssetKey(REGRESSOR), limit=1).records
    counts = materializations(project)
    new = {name: n - before.get(name, 0) for name, n in counts.items() if n != before.get(name, 0)}
    assert new == {
        "refinement": 1, "regressor": 1, "optimal_params": 1, "verification": 1,
        "optimum_check": 1, "proxy_fidelity": 1, RULE: 1, DOCUMENTS: 4,
        "mixes/quadmix/mix_manifest": 1, "mix_comparison": 1, "report": 1,
        "catalog": 1,
    }  # fmt: skip
    assert regressed.asset_materialization is not None
    rounds = str(regressed.asset_materialization.metadata["rounds"].value)
    assert "| gain" in rounds


CHANGES = {
    "mix.max_breakpoints": (
        {"QUADMIX_MIX__MAX_BREAKPOINTS": "50"},
        {RULE},
    ),
    "mix.export": (
        {"QUADMIX_MIX__EXPORT__FORMAT": "parquet"},
        {DOCUMENTS},
    ),
    "where and how fast": (
        {"QUADMIX_PROXIES__STACK_SIZE": "3", "QUADMIX_OWNER": "team:other"},
        set(),
    ),
}


@pytest.mark.parametrize(("overrides", "first"), CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_setting_has_what_uses_it_made_again(
    files: Run,
    tmp_path: Path,
    overrides: dict[str, str],
    first: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And what depends on it, as far as its content has changed."""
    project = files.project.copy(tmp_path / "copy")
    before = materializations(project)
    for name, value in overrides.items():
        monkeypatch.setenv(name, value)
    assert quadmix(project, "run", "--resume")[0] == 0
    after = materializations(project)
    again = {name for name in after if after[name] != before[name]}
    graph = project.definitions().resolve_asset_graph()
    below = dg.AssetSelection.assets(*first).downstream().resolve(graph) if first else set()
    assert first <= again <= {key.to_user_string() for key in below}
    assert quadmix(project, "run", "--resume")[0] == 0
    assert materializations(project) == after


def test_a_mix_that_cannot_be_made_ends_alone(
    files: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = files.project.copy(tmp_path / "copy")
    before = materializations(project)
    mixes: list[dict[str, Any]] = [
        {"method": "quadmix"},
        {"method": "random", "name": "too_large", "tokens": 10**12},
        {"method": "random", "name": "as_large", "tokens": "too_large"},
        {"method": "random"},
    ]
    for mix in mixes[1:3]:
        mix["method"] = "top_k"
        mix["criterion"] = project.settings.criterion_names[0]
    monkeypatch.setenv("QUADMIX_MIXES", json.dumps(mixes))
    status, out, err = quadmix(project, "run", "--resume")
    assert status == 1
    assert "not made, for the reasons above: as_large, too_large." in err
    table, _, summary = out.partition("\n\n")
    states = {line.split()[0]: line.split("  ")[-1] for line in table.splitlines()[4:]}
    assert states == {
        "quadmix": "in production; complete",
        "too_large": "not made",
        "as_large": "not made",
        "random": "complete",
    }
    assert "mix         quadmix (method quadmix, in production)" in summary
    after = materializations(project)
    made = {name for name, times in after.items() if times > before.get(name, 0)}
    assert {mix_output("random", what) for what in (SELECTION_RULE, FINAL_MIX)} <= made
    assert not any("_large" in name for name in made)
    assert after["mix_comparison"] == before["mix_comparison"] + 1


def test_what_shows_all_mixes_goes_on_without_one_that_failed_in_the_same_run(
    tmp_path: Path,
) -> None:
    """Of four mixes one fails; with all of them failed there is nothing to show."""

    def toy(key: str, *deps: str, fails: bool = False) -> dg.AssetsDefinition:
        @dg.asset(key=key.split("/"), deps=[dep.split("/") for dep in deps])
        def made() -> None:
            if fails:
                raise dg.Failure("no such mix", allow_retries=False)

        return made

    def run(folder: Path, *failing: str) -> tuple[bool, set[str], set[str]]:
        manifests = [f"mixes/{name}/mix_manifest" for name in ("a", "b", "c", "d")]
        shown = ["mix_comparison", "report"]
        definitions = dg.Definitions(
            [
                *(toy(key, fails=key.split("/")[1] in failing) for key in manifests),
                toy("mixes/a/language_model", manifests[0]),
                toy(shown[0], *manifests),
                toy(shown[1], *manifests, shown[0]),
            ]
        )
        folder.mkdir()
        with dg.DagsterInstance.local_temp(str(folder)) as instance:
            runner = _Runner(
                instance, definitions, Store(UPath(folder)), load_settings("demo"), resume=False
            )
            (stage,) = cut_into_stages(*graph_of(definitions))
            goes_on = runner.run(stage)
            made = {key.to_user_string() for key in instance.all_asset_keys()}
            made = {key for key in made if instance.get_latest_materialization_event(
                dg.AssetKey.from_user_string(key)
            )}  # fmt: skip
        return goes_on, made, runner.missed

    goes_on, made, missed = run(tmp_path / "one", "b")
    assert goes_on and missed == {"mixes/b/mix_manifest"}
    others = {f"mixes/{name}/mix_manifest" for name in ("a", "c", "d")}
    assert made == others | {"mixes/a/language_model", "mix_comparison", "report"}
    goes_on, made, missed = run(tmp_path / "all", "a", "b", "c", "d")
    assert goes_on and made == set()
    assert {"mix_comparison", "report", "mixes/a/language_model"} < missed


def test_a_file_with_known_ids_is_set_aside_alone(tmp_path: Path) -> None:
    project = files_project(tmp_path)
    write_lines(tmp_path / "raw" / "one.jsonl", documents("same", 60))
    write_lines(tmp_path / "raw" / "two.jsonl", documents("same", 5))
    run = Run(project)
    assert run.status == 0, run.err
    words = "two.jsonl: 5 of its 5 ids are those of documents in 'one.jsonl'"
    assert words in " ".join(run.out.split()), "the summary repeats the failed check"
    assert "ids_are_unique" in run.out
    assert "Stack Trace" not in run.err
    mix = project.store.read_table(project.store.table_path(DOCUMENTS, "two.jsonl"))
    assert mix.is_empty()
    with instance_of(project) as instance:
        key = dg.AssetCheckKey(dg.AssetKey(RAW_SHARDS), "ids_are_unique")
        (record,) = instance.event_log_storage.get_asset_check_execution_history(key, 1)
        assert record.status.value == "FAILED"


def test_pool_of_nothing_but_bad_shards_is_one_error(tmp_path: Path) -> None:
    project = files_project(tmp_path)
    write_lines(tmp_path / "raw" / "one.jsonl", [{"text": "no body"}])
    status, out, err = quadmix(project, "run")
    assert (status, out) == (2, "")
    assert "no shard can be used" in err
    assert not (tmp_path / "data" / "lake").exists()
