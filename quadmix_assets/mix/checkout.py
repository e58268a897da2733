"""The git commit that this package runs from."""

import subprocess
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parents[1]


def git_state(package: Path = _PACKAGE) -> dict[str, Any] | None:
    """The commit of the checkout that a package lies in, and whether its files differ from it.

    Args:
        package: the folder of the package.

    Returns:
        `commit` and `dirty`; None without git, or where the package is not part of a checkout, as
        when it is installed into an environment.
    """
    tracked = _git(package, "ls-files", "--error-unmatch", "__init__.py")
    commit = _git(package, "rev-parse", "HEAD")
    changes = _git(package, "status", "--porcelain", "--", ".")
    if tracked is None or commit is None or changes is None:
        return None
    return {"commit": commit, "dirty": bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    """What a git command prints; None if there is no git, or it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
