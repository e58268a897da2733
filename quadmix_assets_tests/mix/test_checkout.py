import subprocess
from pathlib import Path

import pytest

from quadmix_assets.mix.checkout import git_state


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package in a checkout of its own, committed."""
    package = tmp_path / "checkout" / "package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    git(package.parent, "init", "--quiet")
    git(package.parent, "add", ".")
    git(package.parent, "commit", "--quiet", "--message", "first")
    return package


def test_commit_of_the_checkout(package: Path) -> None:
    head = git(package, "rev-parse", "HEAD")
    assert git_state(package) == {"commit": head, "dirty": False}


def test_changed_and_new_files_of_the_package_make_it_dirty(package: Path) -> None:
    (package.parent / "notes.txt").write_text("outside the package")
    assert git_state(package) == {"commit": git(package, "rev-parse", "HEAD"), "dirty": False}
    (package / "new.py").write_text("")
    state = git_state(package)
    assert state is not None and state["dirty"]


def test_package_that_is_not_part_of_the_checkout_has_no_commit(
    package: Path, tmp_path: Path
) -> None:
    installed = package.parent / "environment" / "package"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert git_state(installed) is None
    (tmp_path / "alone").mkdir()
    assert git_state(tmp_path / "alone") is None


def test_without_git(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_state(package) is None
