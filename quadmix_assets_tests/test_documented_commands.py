"""Every command of README, CONTRIBUTING and docs: run here, or named with the test that runs it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from upath import UPath

from quadmix_assets.corpus.planted import write_planted_corpus
from quadmix_assets.settings.load import PACKAGE
from quadmix_assets_tests.conftest import TINY

ROOT = PACKAGE.parent
# In the order in which they are run: a page may build on what those before it have made.
PAGES = ("docs/commands.md", "README.md", "docs/sql.md", "docs/tour.md")

# Commands that are not run here, and where they are run otherwise.
ELSEWHERE = {
    "make demo": "quadmix_assets_tests/test_demo.py",
    ".venv/bin/quadmix --profile demo run": "quadmix_assets_tests/test_demo.py",
    "make ui": "quadmix_assets_tests/ui/test_fresh_instance.py",
    "make ui PROFILE=mine.yaml": "quadmix_assets_tests/ui/test_fresh_instance.py",
    ".venv/bin/quadmix --profile demo ui": "quadmix_assets_tests/ui/test_fresh_instance.py",
    # The suite cannot run itself, nor install what it runs in.
    "make test": ".ci/run",
    "make .venv/installed-dev": ".ci/run",
    "make format lint": ".ci/run",
    "python3 -m venv .venv": "Makefile",
    ".venv/bin/pip install --constraint constraints.txt --editable .": "Makefile",
    ".venv/bin/pip install --constraint constraints.txt --editable '.[dev]'": "Makefile",
    ".venv/bin/python -m pytest "
    "--numprocesses 2 --dist loadfile --no-loadscope-reorder": "Makefile",
    ".venv/bin/pre-commit install": ".pre-commit-config.yaml",
    ".venv/bin/python -m pytest quadmix_assets_tests/search": ".ci/run",
    '.venv/bin/python -m pytest -m "not slow and not browser"': ".ci/run",
    ".venv/bin/python -m pytest -m corpus": ".ci/run",
}

# The sizes of the other tests' graph, for every profile that the pages name; one shard and one
# batch of proxies, so that "and so on" leaves nothing out.
_SIZES: dict[str, Any] = {
    "corpus": {"planted": {"n_documents": 300, "n_shards": 1, "n_target": 120}},
    **{section: TINY[section] for section in ("tokenizer", "parameters")},
    "proxies": {**TINY["proxies"], "batch_size": TINY["parameters"]["n"]},
    "search": {"n_points": 200},
    "evidence": {"budgets": [1_024, 4_096], "n_seeds": 1},
    # So small a swarm teaches a regressor nothing.
    "mix": {"accept": ["regressor_learned_something", "theta_star_is_within_evidence"]},
}


def blocks(page: str, language: str) -> list[str]:
    """The fenced code blocks of a page in a language, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[str]:
    """The commands of a block, without comments."""
    found = []
    for line in block.replace("\\\n", " ").splitlines():
        command = re.sub(r"(^|\s+)#.*$", "", line).strip()
        if command:
            found.append(command)
    return found


def all_pages() -> list[str]:
    """Every page that gives commands; those of PAGES first."""
    others = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("docs/*.md"))]
    pages = [*PAGES, "CONTRIBUTING.md", *(page for page in others if page not in PAGES)]
    return [page for page in pages if (ROOT / page).is_file()]


SCRIPTS = [
    pytest.param(
        [command for command in commands(block) if command not in ELSEWHERE],
        id=f"{page}-{number}",
    )
    for page in all_pages()
    for number, block in enumerate(blocks(page, "sh"), start=1)
    if any(command not in ELSEWHERE for command in commands(block))
]


class Checkout:
    """A copy of the project in a folder, with data of its own and the tests' environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=ignore)
        for name in ("pyproject.toml", "constraints.txt", "Makefile"):
            shutil.copyfile(ROOT / name, folder / name)
        binaries = folder / ".venv" / "bin"
        binaries.mkdir(parents=True)
        for name in ("dg", "python"):
            self._script(binaries / name, Path(sys.executable).with_name(name))
        self._script(binaries / "quadmix", Path(sys.executable), "-m quadmix_assets.cli")
        # make takes what is newer than pyproject.toml for installed.
        (folder / ".venv" / "installed").touch()
        self._write_data(folder / "data")

    @staticmethod
    def _script(path: Path, program: Path, arguments: str = "") -> None:
        path.write_text(f'#!/bin/sh\nexec "{program}" {arguments} "$@"\n')
        path.chmod(0o755)

    @staticmethod
    def _write_data(data: Path) -> None:
        planted = data / "planted"
        write_planted_corpus(
            UPath(planted), n_documents=600, n_shards=2, n_labelled_per_domain=1, n_target=120
        )
        shutil.copytree(planted / "raw", data / "raw")
        (data / "targets").mkdir()
        shutil.copyfile(planted / "target.jsonl", data / "targets" / "planted.jsonl")
        shutil.rmtree(planted)

    def run(self, script: list[str]) -> subprocess.CompletedProcess[str]:
        """Run commands in one shell, in the folder; the first that fails ends it."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("QUADMIX_", "DAGSTER_HOME"))
        }
        sizes = {f"QUADMIX_{key.upper()}": json.dumps(value) for key, value in _SIZES.items()}
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(script)],
            cwd=self.folder,
            env={
                **inherited,
                **sizes,
                "PYTHONPATH": str(self.folder),
                "PATH": f"{self.folder / '.venv' / 'bin'}:{os.environ['PATH']}",
            },
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("checkout") / "project")


def test_commands_that_run_elsewhere_are_still_given() -> None:
    given = {c for page in all_pages() for block in blocks(page, "sh") for c in commands(block)}
    assert set(ELSEWHERE) <= given
    assert all((ROOT / place).exists() for place in ELSEWHERE.values())


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_commands_of_the_page_run(checkout: Checkout, script: list[str]) -> None:
    result = checkout.run(script)
    said = f"{result.stdout[-3_000:]}\n{result.stderr[-6_000:]}"
    assert result.returncode == 0, "\n".join([*script, said])


def test_python_of_the_readme_runs() -> None:
    (program,) = blocks("README.md", "python")
    rng = np.random.default_rng(0)
    names: dict[str, Any] = {
        "sigma": rng.uniform(size=(200, 3)),
        "domains": rng.integers(26, size=200),
        "n_tokens": rng.integers(1, 900, size=200),
        "ids": pl.Series([f"d{row}" for row in range(200)]),
    }
    exec(program, names)
    assert names["copies"].shape == (200,)
    assert names["copies"].sum() > 0
