import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from quadmix_assets.settings import (
    PROFILES_FOLDER,
    Settings,
    SettingsError,
    TrainingSettings,
    load_settings,
)
from quadmix_assets.settings.load import PACKAGE

DEMO = yaml.safe_load((PROFILES_FOLDER / "demo.yaml").read_text())


def write_profile(folder: Path, **changes: object) -> Path:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({**DEMO, **changes}))
    return path


@pytest.mark.parametrize("profile", sorted(path.stem for path in PROFILES_FOLDER.glob("*.yaml")))
def test_shipped_profiles_load(profile: str) -> None:
    settings = load_settings(profile)
    assert settings.profile == profile
    assert settings.domain_names[-1] == "unknown"


def test_paths_of_a_shipped_profile_start_at_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings("demo").root == PACKAGE.parent


@pytest.mark.parametrize(("folder", "root"), [("mine/profiles", "mine"), ("mine", "mine")])
def test_paths_of_a_profile_of_ones_own_start_beside_it(
    tmp_path: Path, folder: str, root: str
) -> None:
    (tmp_path / folder).mkdir(parents=True)
    assert load_settings(write_profile(tmp_path / folder)).root == tmp_path / root


def test_paper_profile_has_the_papers_numbers() -> None:
    settings = load_settings("paper")
    assert settings.parameters.n == 3_000
    assert settings.parameters.omega_max == 0.1
    assert settings.proxies.training.n_tokens_per_proxy == 1_000_000_000
    assert len(settings.features.domains.names) == 26
    assert settings.search.n_points == 100_000
    assert settings.search.top == 10
    held_out = round(settings.search.held_out_share * settings.parameters.n)
    assert (settings.parameters.n - held_out, held_out) == (2_800, 200)
    search = settings.search
    assert (search.regressor.kind, search.regressor_inputs) == ("lightgbm", "theta")
    assert search.strategy.kind == "random_top_mean"
    benchmarks = ("hellaswag", "arc_easy", "arc_challenge", "mmlu", "triviaqa")
    assert [(o.name, dict(o.targets)) for o in settings.objectives] == [
        ("openhermes", {"openhermes": 1.0}),
        ("bmk", dict.fromkeys(benchmarks, 1.0)),
    ]
    assert settings.targets[0].max_documents == 10_000


def test_unknown_key_names_key_and_what_is_allowed(tmp_path: Path) -> None:
    path = write_profile(tmp_path, parameters={"n": 8, "omega_mx": 0.2})
    with pytest.raises(SettingsError, match=r"parameters\.omega_mx.*did you mean 'omega_max'") as e:
        load_settings(path)
    assert str(path) in str(e.value)


def test_every_wrong_value_is_named_at_once(tmp_path: Path) -> None:
    path = write_profile(tmp_path, parameters={"n": "many", "omega_max": 1.5}, colour="blue")
    with pytest.raises(SettingsError) as error:
        load_settings(path)
    message = str(error.value)
    assert "3 setting(s)" in message
    assert "parameters.n: got 'many'" in message
    assert "parameters.omega_max: got 1.5" in message
    assert "colour: unknown key" in message


def test_nested_union_keys_are_named(tmp_path: Path) -> None:
    features = {**DEMO["features"], "criteria": [{"kind": "importance", "taget": "planted"}]}
    with pytest.raises(SettingsError, match=r"did you mean 'target'"):
        load_settings(write_profile(tmp_path, features=features))


def test_wrong_key_of_a_kind_lists_the_keys_of_that_kind(tmp_path: Path) -> None:
    features = {**DEMO["features"], "criteria": [{"kind": "askllm", "max_token": 5}]}
    message = (
        r"features\.criteria\[0\]\.askllm\.max_token: unknown key; did you mean 'max_tokens'\? "
        "allowed here: chat_template, kind, max_tokens, model, name, no, prompt, revision, "
        "weighed, yes$"
    )
    with pytest.raises(SettingsError, match=message):
        load_settings(write_profile(tmp_path, features=features))


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            {"criteria": [{"kind": "fineweb"}]},
            r"criteria\[0\]\.kind: got 'fineweb': there is no criterion of that kind; there are: "
            "target_fasttext, importance, .*perplexity",
        ),
        (
            {"domains": {"kind": "nvida"}},
            r"domains\.kind: got 'nvida': there is no domain classifier of that kind; there are: "
            "fasttext, column, nvidia, clusters",
        ),
        ({"domains": {"names": ["law"]}}, r"features\.domains\.kind: is missing"),
        (
            {"domains": {"kind": "clusters", "k": 1}},
            r"features\.domains\.clusters\.k: got 1: .*greater than or equal to 2",
        ),
    ],
)
def test_unknown_kind_lists_the_kinds(
    tmp_path: Path, section: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(write_profile(tmp_path, features={**DEMO["features"], **section}))


@pytest.mark.parametrize("profile", ["demo", "paper"])
def test_loading_settings_loads_no_network_library(profile: str) -> None:
    """Settings are loaded by every command and every step, most of which run no network."""
    code = (
        "import sys; from quadmix_assets.settings import load_settings\n"
        f"load_settings({profile!r})\n"
        "heavy = {'torch', 'transformers', 'fasttext', 'sklearn', 'lightgbm'}\n"
        "print(sorted(heavy & {*sys.modules}))"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_domain_mapping_to_no_known_domain(tmp_path: Path) -> None:
    domains = {"kind": "column", "column": "label", "names": ["law"], "mapping": {"x": "lawn"}}
    path = write_profile(tmp_path, features={**DEMO["features"], "domains": domains})
    with pytest.raises(SettingsError, match=r"'lawn', which is no known domain; known are: law"):
        load_settings(path)


def test_criterion_of_missing_target(tmp_path: Path) -> None:
    criteria = [{"kind": "importance", "target": "nope"}]
    path = write_profile(tmp_path, features={**DEMO["features"], "criteria": criteria})
    with pytest.raises(SettingsError, match=r"names the target set 'nope'; targets has"):
        load_settings(path)


def test_column_criterion_needs_a_carried_column(tmp_path: Path) -> None:
    criteria = [{"kind": "column", "name": "edu", "column": "edu_score"}]
    path = write_profile(tmp_path, features={**DEMO["features"], "criteria": criteria})
    with pytest.raises(SettingsError, match=r"'edu_score', which is not among corpus.carried"):
        load_settings(path)


@pytest.mark.parametrize(
    ("constraints", "words"),
    [
        ({"domains": {"medcine": {"off": True}}}, r"domains names 'medcine'; there are: medicine"),
        ({"criteria_off": ["edu"]}, r"criteria_off names 'edu'; there are: target_fasttext"),
        ({"domains": {"law": {"share": 0.1, "min_share": 0.1}}}, "share is given with min_share"),
        ({"domains": {"law": {"min_share": 0.3, "max_share": 0.2}}}, r"0\.3 is above max_share 0"),
        ({"domains": {"law": {"off": True, "share": 0.2}}}, "off is true, but share or min_share"),
        ({"max_copies": 0.5}, r"max_copies: got 0\.5"),
    ],
)
def test_constraints_that_make_no_sense(
    tmp_path: Path, constraints: dict[str, object], words: str
) -> None:
    search = {**DEMO["search"], "constraints": constraints}
    with pytest.raises(SettingsError, match=words):
        load_settings(write_profile(tmp_path, search=search))


def test_objectives_by_default(tmp_path: Path) -> None:
    """The paper's two, as far as their targets are there; else the mean of all targets."""

    def objectives(*targets: str) -> dict[str, list[str]]:
        path = write_profile(
            tmp_path,
            targets=[{"name": "planted"}, *({"name": name} for name in targets)],
            search={},
            mix={},
        )
        return {found.name: list(found.targets) for found in load_settings(path).objectives}

    benchmarks = ["hellaswag", "arc_easy", "arc_challenge", "mmlu", "triviaqa"]
    assert objectives() == {"all_targets": ["planted"]}
    assert objectives("openhermes") == {"openhermes": ["openhermes"]}
    assert objectives(*benchmarks[1:]) == {"all_targets": ["planted", *benchmarks[1:]]}
    assert objectives(*benchmarks, "openhermes") == {
        "openhermes": ["openhermes"],
        "bmk": benchmarks,
    }


def test_accepted_checks_are_those_that_a_mix_waits_for(tmp_path: Path) -> None:
    accept = ["few_proxies_failed", "labels_cover_the_pool"]
    assert load_settings(write_profile(tmp_path, mix={"accept": accept})).mix.accept == tuple(
        accept
    )
    with pytest.raises(SettingsError, match=r"mix\.accept\[0\].*'regressor_learned_something'"):
        load_settings(write_profile(tmp_path, mix={"accept": ["everything"]}))


@pytest.mark.parametrize(
    ("mixes", "words"),
    [
        (
            [{"method": "quadmix", "objective": "other"}],
            r"mixes\[quadmix\]\.objective is 'other'; search\.objectives has: planted",
        ),
        (["quadmix", "quadmix"], "two mixes are named 'quadmix': give one another `name`"),
        (
            ["quadmix", {"method": "top_k", "criterion": "fame"}],
            r"mixes\[top_k\].* 'fame'.*features\.criteria has: target_fasttext, importance",
        ),
        (
            [{"method": "quadmix", "drop_duplicates": True}],
            r"mixes\[quadmix\]\.drop_duplicates needs features\.near_duplicates",
        ),
        (
            [{"method": "quadmix", "criteria_off": ["fame"]}],
            r"mixes\[quadmix\]\.constraints\.criteria_off names 'fame'; there are: target_fasttext",
        ),
        (
            [{"method": "quadmix", "constraints": {"domains": {"chess": {"off": True}}}}],
            r"mixes\[quadmix\]\.constraints\.domains names 'chess'; there are: medicine",
        ),
        (
            ["quadmix", {"method": "random", "tokens": "other"}],
            r"mixes\[random\]\.tokens names the mix 'other'; mixes has: quadmix, random",
        ),
        (
            ["random"],
            r"mixes\[random\] has no number of tokens: it takes its size from random; set "
            r"mixes\[random\]\.tokens to a number",
        ),
        (
            [
                {"method": "random", "tokens": "proportional"},
                {"method": "proportional", "tokens": "random"},
            ],
            r"mixes\[random\] has no number of tokens: it takes its size from proportional -> "
            r"random",
        ),
        ([{"method": "quadmix", "name": "Big/mix"}], r"mixes.*name"),
        (["magic"], r"mixes.*there is no method of that kind; there are: quadmix"),
        ([], "mixes"),
    ],
)
def test_mixes_that_cannot_be_made_are_refused(
    tmp_path: Path, mixes: list[object], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        load_settings(write_profile(tmp_path, mixes=mixes, production=None))


def test_production_is_one_of_the_mixes(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="production is 'gold'; mixes has: quadmix"):
        load_settings(write_profile(tmp_path, production="gold"))
    chosen = load_settings(
        write_profile(tmp_path, mixes=["random", "quadmix"], production="quadmix")
    )
    assert chosen.production_mix.name == "quadmix"
    assert chosen.tokens_of(chosen.mix_named("random")) == "quadmix"
    assert [chosen.is_followed(mix) for mix in chosen.mixes] == [False, True]
    assert [chosen.export_of(mix) for mix in chosen.mixes] == ["none", "parquet"]


def test_sizes_are_passed_on_between_mixes(tmp_path: Path) -> None:
    """A chain ends at a number, or at a method with a size of its own."""
    mixes = [
        {"method": "random", "tokens": "proportional"},
        {"method": "proportional", "tokens": "unimax"},
        {"method": "unimax", "tokens": 5_000},
        "quadmix",
    ]
    chosen = load_settings(write_profile(tmp_path, mixes=mixes))
    assert [chosen.tokens_of(mix) for mix in chosen.mixes] == [
        *("proportional", "unimax", 5_000, None),
    ]


def test_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="no such profile.*demo.*paper"):
        load_settings("nope")


def test_broken_yaml_is_a_settings_error(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("corpus: [unclosed")
    with pytest.raises(SettingsError, match=r"broken\.yaml"):
        load_settings(path)


def test_environment_overrides_one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUADMIX_PARAMETERS__N", "7")
    settings = load_settings("demo")
    assert settings.parameters.n == 7
    assert settings.parameters.omega_max == DEMO["parameters"]["omega_max"]


def test_environment_overrides_the_keys_of_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mapping, a number, and a text, of a section whose keys depend on its kind."""
    monkeypatch.setenv("QUADMIX_FEATURES__DOMAINS__MAPPING", '{"sports news": "Sports"}')
    monkeypatch.setenv("QUADMIX_FEATURES__DOMAINS__CONFIDENCE_FLOOR", "0.25")
    monkeypatch.setenv("QUADMIX_FEATURES__DOMAINS__COLUMN", "domain26")
    domains = load_settings("laptop").features.domains.model_dump()
    assert domains["mapping"] == {"sports news": "Sports"}
    assert (domains["confidence_floor"], domains["column"]) == (0.25, "domain26")


def test_wrong_override_of_a_kind_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUADMIX_FEATURES__DOMAINS__MAPPING", "{sports")
    with pytest.raises(
        SettingsError, match=r"domains\.column\.mapping: got '{sports': .* valid dict"
    ):
        load_settings("laptop")


def test_unknown_override_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUADMIX_PARAMETRES__N", "7")
    with pytest.raises(SettingsError, match="QUADMIX_PARAMETRES__N.*parametres"):
        load_settings("demo")


def test_relative_paths_start_at_the_profiles_project(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    settings = load_settings(write_profile(tmp_path / "profiles"))
    assert settings.resolve(settings.lake) == settings.resolve("data/lake/mine")
    assert str(settings.resolve("data/raw")) == str(tmp_path / "data/raw")
    assert settings.resolve("memory://bucket/raw").protocol == "memory"


@pytest.mark.parametrize(
    "name",
    ["rank", "Rank", "merged_score", "sampling_value", "copies", "id", "shard", "documents"],
)
def test_criterion_cannot_take_the_name_of_a_column_or_a_table(tmp_path: Path, name: str) -> None:
    features = {**DEMO["features"], "criteria": [{"kind": "heuristics", "name": name}]}
    with pytest.raises(SettingsError, match=f"a criterion cannot be named '{name}'"):
        load_settings(write_profile(tmp_path, features=features))


def test_target_must_leave_something_to_evaluate_on(tmp_path: Path) -> None:
    targets = [{"name": "planted", "fit_share": 1.0}]
    with pytest.raises(SettingsError, match="fit_share: got 1.0"):
        load_settings(write_profile(tmp_path, targets=targets))


def test_settings_cannot_be_changed(demo: Settings) -> None:
    with pytest.raises(ValueError, match="frozen"):
        demo.seed = 3


@pytest.fixture
def demo() -> Settings:
    return load_settings("demo")


def test_the_recipe_follows_the_architecture_and_the_profile_wins(tmp_path: Path) -> None:
    def training(**values: object) -> TrainingSettings:
        profile = write_profile(tmp_path, proxies={"training": values})
        return load_settings(profile).proxies.training

    tiny, paper = training(), training(architecture="regmix-1m")
    assert (tiny.architecture, tiny.context, tiny.batch_windows) == ("tiny", 128, 4)
    assert (paper.n_tokens_per_proxy, paper.batch_windows, paper.context) == (10**9, 512, 2048)
    assert (paper.learning_rate, paper.warmup_steps, paper.schedule) == (4e-4, 100, "constant")
    mixed = training(architecture="regmix-1m", batch_windows=4, context=64)
    assert (mixed.batch_windows, mixed.context, mixed.learning_rate) == (4, 64, 4e-4)


def test_the_architecture_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = write_profile(tmp_path, proxies={"training": {"warmup_steps": 3}})
    monkeypatch.setenv("QUADMIX_PROXIES__TRAINING__ARCHITECTURE", "small")
    training = load_settings(profile).proxies.training
    assert (training.architecture, training.context, training.warmup_steps) == ("small", 256, 3)
    assert training.batch_windows == 8


def test_an_unknown_architecture_is_one_error_with_the_names_there_are(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, proxies={"training": {"architecture": "huge"}})
    with pytest.raises(SettingsError) as error:
        load_settings(profile)
    message = str(error.value)
    assert "1 setting(s)" in message
    assert "proxies.training.architecture: no architecture is named 'huge'" in message
    assert "tiny, small, regmix-1m, olmix-14m" in message
