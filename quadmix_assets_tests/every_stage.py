"""Settings with every optional asset: near-duplicates, mixes that search or train, evidence."""

from pathlib import Path
from typing import Any

from quadmix_assets_tests.conftest import TINY

EVERY_STAGE: dict[str, Any] = {
    "features": {"near_duplicates": {"enabled": True}},
    "proxies": {**TINY["proxies"], "domain_weights": {"n": 12, "pool_share": 0.2}},
    "mixes": [
        {"method": "quadmix", "drop_duplicates": True},
        {"method": "quadmix", "name": "two_criteria", "criteria_off": ["heuristics"]},
        {"method": "regmix", "n_points": 500, "top": 20},
        {"method": "climb", "n_points": 500, "rounds": [3, 2], "shortlist": 20},
        {"method": "random"},
    ],
    "production": "quadmix",
    "evidence": {
        "enabled": True,
        "budgets": [1_024, 4_096],
        "n_seeds": 1,
        "held_out": [{"name": "found", "path": str(Path(__file__).with_name("held_out.jsonl"))}],
    },
}
"""Sections of the settings, for `write_profile`."""
