"""A small project in a temporary folder, and the whole graph run on it once per session."""

import importlib
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from absl import logging as absl_logging

from quadmix_assets.settings import (
    FROZEN_VARIABLE,
    PROFILE_VARIABLE,
    PROFILES_FOLDER,
    Settings,
    load_settings,
)
from quadmix_assets.store import Store
from quadmix_assets_tests.seed import SEED

os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
# absl, which lm-eval and TensorBoard import, keeps what standard error is at that moment, the file
# of pytest's capture, and closes it when Dagster configures logging later.
absl_logging.get_absl_handler().python_handler.stream = sys.__stderr__

_PACKAGE = "quadmix_assets"
_MADE_FOR_ONE_PROFILE = {f"{_PACKAGE}.definitions", f"{_PACKAGE}.whole_graph"}

# The longest files come first, so that in two processes the rest is done beside them.
FIRST = (
    "test_documented_commands.py", "test_demo.py", "test_used_instance.py", "test_ray.py",
    "test_fresh_instance.py", "test_kills.py", "test_postgres.py", "test_ui_server.py",
    "test_wheel.py", "test_graph.py", "test_fault_matrix.py",
)  # fmt: skip

TINY: dict[str, Any] = {
    "seed": SEED,
    "corpus": {
        "source": "planted",
        "carried_columns": {"planted_domain": "string", "planted_quality": "float"},
        "max_target_overlap": 1.0,
        "planted": {
            "n_documents": 900,
            "n_shards": 3,
            "n_labelled_per_domain": 40,
            "n_target": 120,
        },
    },
    "tokenizer": {"vocab_size": 512},
    "parameters": {"n": 16, "omega_max": 0.5},
    "proxies": {
        "pool_tokens": 200_000,
        "batch_size": 8,
        "training": {
            "architecture": "tiny",
            "n_tokens_per_proxy": 4_096,
            "batch_windows": 8,
            "learning_rate": 5e-3,
            "warmup_steps": 1,
        },
        "max_target_tokens": 2_000,
        "repeated_thetas": 3,
        "repeats": 1,
        "n_workers": 1,
    },
    "search": {
        "objectives": [{"name": "planted", "targets": {"planted": 1.0}}],
        "regressor": "lightgbm",
        "n_points": 2_000,
        "verify": {
            "candidates": 4,
            "heats": [{"candidates": 4, "seeds": 1}, {"candidates": 2, "seeds": 1}],
        },
        "check_seeds": 3,
    },
    # Sixteen proxies of some thousand tokens are too few to learn from, and cover hardly anything.
    "mix": {"accept": ["regressor_learned_something", "theta_star_is_within_evidence"]},
    "mixes": [{"method": "quadmix"}],
    # The tests of the evidence have small projects of their own.
    "evidence": {"enabled": False},
    "production": None,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of FIRST before all others, which keep their order."""
    place = {name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(FIRST)))


@pytest.fixture(autouse=True)
def settings_thaw() -> Iterator[None]:
    """No test works with the settings that another one has frozen in this process."""
    os.environ.pop(FROZEN_VARIABLE, None)
    yield
    os.environ.pop(FROZEN_VARIABLE, None)


@pytest.fixture(autouse=True)
def fresh_loggers() -> None:
    """What a library or a run has done to logging in this process is forgotten before a test.

    Dagster, for one, sets the levels of managed loggers when a run starts, and leaves them.
    """
    logging.disable(logging.NOTSET)
    logging.getLogger().setLevel(logging.WARNING)
    for name, logger in list(logging.getLogger().manager.loggerDict.items()):
        if name.split(".")[0] == _PACKAGE and isinstance(logger, logging.Logger):
            logger.setLevel(logging.NOTSET)
            logger.disabled, logger.propagate = False, True


@pytest.fixture(scope="session", autouse=True)
def own_copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Copies of folders on object storage are kept apart from those of this machine's projects."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUADMIX_COPIES", str(tmp_path_factory.mktemp("copies")))
        yield


def write_profile(folder: Path, **changes: Any) -> Path:
    """A profile of a project in `folder`: the demo's, made tiny, then `changes` by section.

    What this process works with next is what the file says then, as after a reload.
    """
    os.environ.pop(FROZEN_VARIABLE, None)
    profile = yaml.safe_load((PROFILES_FOLDER / "demo.yaml").read_text()) | TINY
    for section, values in changes.items():
        merged = isinstance(values, dict) and isinstance(profile.get(section), dict)
        profile[section] = {**profile[section], **values} if merged else values
    path = folder / "tiny.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(profile))
    return path


@contextmanager
def instance_in(folder: Path) -> Iterator[None]:
    """A Dagster instance in `folder` for as long as the block runs."""
    before = os.environ.get("DAGSTER_HOME")
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["DAGSTER_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["DAGSTER_HOME"]
        else:
            os.environ["DAGSTER_HOME"] = before


def definitions_of(profile: Path) -> dg.Definitions:
    """The definitions of a profile: the modules that hold them are imported anew."""
    for name in list(sys.modules):
        if name.startswith(f"{_PACKAGE}.defs") or name in _MADE_FOR_ONE_PROFILE:
            del sys.modules[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PROFILE_VARIABLE, str(profile))
        os.environ.pop(FROZEN_VARIABLE, None)
        # By name: the attributes of the package are still the modules that were there before.
        for name in sorted(_MADE_FOR_ONE_PROFILE):
            importlib.import_module(name)
        found: dg.Definitions = sys.modules[f"{_PACKAGE}.definitions"].defs()
        return found


class Project:
    """A project in a folder of its own: settings, store, and its Dagster instance."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.folder = folder
        self.profile = write_profile(folder, **changes)

    def copy(self, folder: Path) -> "Project":
        """The same project, lake and instance included, in another folder."""
        shutil.copytree(self.folder, folder)
        copied = object.__new__(Project)
        copied.folder, copied.profile = folder, folder / self.profile.name
        return copied

    @property
    def settings(self) -> Settings:
        return load_settings(self.profile)

    @property
    def store(self) -> Store:
        return Store(self.settings.resolve(self.settings.lake))

    def run(self, *, resume: bool = False) -> bool:
        """Materialise the whole graph, or what is missing or stale of it."""
        definitions_of(self.profile)
        whole_graph = importlib.import_module("quadmix_assets.whole_graph")
        with instance_in(self.folder / "dagster"):
            done: bool = whole_graph.materialize_whole_graph(str(self.profile), resume=resume)
            return done

    def definitions(self) -> dg.Definitions:
        """The definitions for its profile."""
        return definitions_of(self.profile)

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """The instance that `run` wrote to."""
        with instance_in(self.folder / "dagster"), dg.DagsterInstance.get() as instance:
            yield instance


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose whole graph has been materialised."""
    project = Project(tmp_path_factory.mktemp("tiny"))
    assert project.run()
    return project


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small checkpoint under the id of every published one."""
    # Imported here: few tests want torch and transformers.
    from quadmix_assets_tests.features.checkpoints import save_all

    folder = tmp_path_factory.mktemp("checkpoints")
    save_all(folder)
    return folder
