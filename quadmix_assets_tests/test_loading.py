"""What every process pays that loads the definitions: the daemon, a run, most commands."""

import os
import subprocess
import sys

# Each takes a second or more to load, and few steps use it.
HEAVY = ("torch", "transformers", "lm_eval", "scipy", "sklearn", "lightgbm", "duckdb")
LOADED = f"""
import sys
from quadmix_assets.definitions import defs
defs()
print(*sorted(sys.modules.keys() & {set(HEAVY)!r}))
"""


def test_definitions_load_without_what_only_their_steps_use() -> None:
    result = subprocess.run(
        [sys.executable, "-c", LOADED],
        env={**os.environ, "QUADMIX_PROFILE": "demo"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []
