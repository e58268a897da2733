from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from quadmix_assets.cli import main
from quadmix_assets.plan.costs import Cost, costs, tokens_of_mix
from quadmix_assets.plan.devices import Device
from quadmix_assets.plan.inputs import InputSize, tokens_of_part
from quadmix_assets.plan.networks import scoring_networks
from quadmix_assets.plan.trainings import all_trainings
from quadmix_assets.settings import HeldOutSettings, Settings, TrainingSettings, load_settings
from quadmix_assets.settings.load import PACKAGE
from quadmix_assets_tests.conftest import Project

POOL = InputSize(1_000, 400_000, "counted")


@dataclass(frozen=True)
class Gigaflop(Device):
    """A billion operations a second, whatever is trained."""

    name: str = "gigaflop"
    described: str = "a billion a second"

    def training_rate(self, recipe: TrainingSettings, vocab_size: int) -> float:
        return 1e9

    @property
    def large_rate(self) -> float:
        return 1e9


def profile(folder: Path, name: str, **changes: Any) -> Settings:
    values = yaml.safe_load((PACKAGE / "profiles" / f"{name}.yaml").read_text())
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values | changes))
    return load_settings(str(path))


def cost_of(found: list[Cost], stage: str) -> list[Cost]:
    return [cost for cost in found if cost.stage == stage]


def test_hours_are_flops_by_the_rate_of_the_device(tmp_path: Path) -> None:
    settings = profile(tmp_path, "demo")
    found = costs(settings, POOL, Gigaflop(), n_cores=2)
    (swarm,) = cost_of(found, "proxy_metrics")
    training = all_trainings(settings)[0]
    (target,) = settings.targets
    assert swarm.flops == training.training_flops(2_048) + training.measuring_flops(
        2_048, tokens_of_part(settings, POOL, target)
    )
    assert swarm.hours == pytest.approx(swarm.flops / 1e9 / 3_600)
    (scores,) = cost_of(found, "scored_shards")
    assert scores.on_cores
    (once,) = cost_of(costs(settings, POOL, Gigaflop(), n_cores=1), "scored_shards")
    assert once.hours == pytest.approx(2 * (scores.hours or 0))


def test_models_of_mixes_are_measured_on_every_set_and_asked_every_question(
    tmp_path: Path,
) -> None:
    tasks = [{"name": "piqa"}, {"name": "svamp", "path": "svamp.jsonl"}]
    held_out = [{"name": "other", "path": "other.jsonl"}]
    evidence = {
        "enabled": True,
        "budgets": [1_000, 3_000],
        "n_seeds": 2,
        "tasks": tasks,
        "held_out": held_out,
        "max_questions": 50,
    }
    settings = profile(tmp_path, "demo", mixes=["quadmix", "random"], evidence=evidence)
    found = costs(settings, POOL, Gigaflop(), n_cores=2)
    losses, answers = cost_of(found, "benchmark_results")
    # Two sets of at most 20,000 tokens; two mixes, budgets and seeds.
    assert losses.n_tokens == 2 * 20_000 * 2 * 2 * 2
    assert "losses on 2 sets" in losses.what
    # Of the larger budget alone; 100 questions of four choices, a hundred tokens each.
    assert answers.n_tokens == 2 * 2 * 100 * 400
    few = InputSize(1_000, 400_000, "counted", questions={"piqa": 1_838, "svamp": 30})
    _, fewer = cost_of(costs(settings, few, Gigaflop(), n_cores=2), "benchmark_results")
    assert fewer.n_tokens == 2 * 2 * 80 * 400
    assert losses.flops is not None
    assert answers.flops is not None
    per_token = 6 * (2 * (4 * 64**2 + 3 * 64 * 128 + 2 * 64 * 128) + 2_048 * 64)
    assert answers.flops == answers.n_tokens * per_token // 3


def test_tokens_of_target_sets_follow_what_is_known_of_them(tmp_path: Path) -> None:
    settings = profile(tmp_path, "demo")
    (target,) = settings.targets
    assert tokens_of_part(settings, POOL, target) == settings.proxies.max_target_tokens
    known = InputSize(1, 1, "", {"planted": 9_000, "other": 9_000})
    assert tokens_of_part(settings, known, target) == 3_000
    other = HeldOutSettings(name="other", path="other.jsonl")
    assert tokens_of_part(settings, known, other) == 9_000


def test_sizes_of_mixes(tmp_path: Path) -> None:
    mixes = [{"method": "quadmix"}, {"method": "random", "tokens": 1_000}, {"method": "unimax"}]
    settings = profile(tmp_path, "demo", mixes=mixes)
    first, second, third = settings.mixes
    assert tokens_of_mix(settings, POOL, first) == pytest.approx(400_000 * 0.5 * 0.6)
    assert tokens_of_mix(settings, POOL, second) == 1_000
    assert tokens_of_mix(settings, POOL, third) == tokens_of_mix(settings, POOL, first)
    unknown = InputSize(None, None, "not looked at")
    assert tokens_of_mix(settings, unknown, third) is None
    assert not cost_of(costs(settings, unknown, Gigaflop(), n_cores=2), "raw_shards")


def test_networks_read_no_more_than_their_context(tmp_path: Path) -> None:
    settings = profile(tmp_path, "paper")
    long = InputSize(10, 1_000_000, "counted")
    found = {network.name: network for network in scoring_networks(settings, long)}
    assert {name: one.n_tokens for name, one in found.items()} == {
        "askllm": 10 * 1_024,
        "fineweb_edu": 10 * 512,
        "nvidia": 10 * 512,
    }
    assert found["fineweb_edu"].flops == 2 * 86_000_000 * 5_120


def test_a_network_of_unknown_size_is_told_and_not_counted(tmp_path: Path) -> None:
    mine = {"kind": "fineweb_edu", "model": "/models/mine"}
    domains = {"kind": "fasttext", "names": ["medicine", "law"]}
    settings = profile(
        tmp_path,
        "demo",
        features={"criteria": [mine], "domains": domains},
        mixes=["quadmix"],
    )
    found = costs(settings, POOL, Gigaflop(), n_cores=2)
    (network,) = [cost for cost in found if cost.is_unknown]
    assert network.what == "fineweb_edu: /models/mine"
    assert network.hours is None


def test_bytes_are_about_those_of_a_finished_lake(tiny: Project) -> None:
    settings, store = tiny.settings, tiny.store
    found = costs(settings, InputSize.of_planted(settings), Gigaflop(), n_cores=2)

    def on_disk(name: str) -> int:
        return sum(f.stat().st_size for f in Path(str(store.root / name)).rglob("*") if f.is_file())

    (weights,) = cost_of(found, "proxy_metrics")
    assert weights.n_bytes == pytest.approx(on_disk("proxy_weights"), rel=0.1)
    (raw,) = cost_of(found, "raw_shards")
    assert 0.3 < raw.n_bytes / on_disk("raw_shards") < 3


def test_the_command_prints_a_line_per_stage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--profile", "paper", "plan", "--device", "h100", "--pool-tokens", "500000000000"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "1B documents, 500B tokens, as it was stated" in printed
    assert "device   h100, measured" in printed
    (swarm,) = [line for line in printed.splitlines() if line.startswith("proxy_metrics")]
    # A billion tokens each; 0.12 GPU-hours for each of them were measured.
    assert "3,000" in swarm
    assert "3T" in swarm
    hours = float(swarm.split()[-3].replace(",", ""))
    assert hours == pytest.approx(3_000 * 0.123, rel=0.05)


def test_a_pool_that_cannot_be_read_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--profile", "paper", "plan", "--device", "a100"]) == 0
    assert "say --pool-tokens" in capsys.readouterr().out
