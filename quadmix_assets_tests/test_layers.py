"""The modules import in one direction, and only the outermost import Dagster."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from quadmix_assets.settings.load import PACKAGE

# In the order of docs/architecture.md: a package imports from itself and from those before it.
# Modules of the top folder count by their name.
LAYERS = [
    {
        "registry",
        "outputs",
        "hashing",
        "redaction",
        "faults",
        "splitmix64",
        "figures",
        "device",
        "stages",
        "in_order",
        "partition_ranges",
        "run_locks",
        "interrupts",
        "dying_children",
        "ray_tasks",
    },
    {"seeds", "store", "sampling"},
    {"settings"},
    {"lake_files"},
    {"corpus"},
    {"features", "training", "report"},
    {"proxies"},
    {"search"},
    {"mix", "starter"},
    {"evidence"},
    {"comparison", "plan"},
    {"page"},
    {"healing", "instance", "postgres", "ui_server", "commands"},
    {"defs", "definitions", "staleness"},
    {"in_process", "whole_graph"},
    {"cli"},
]
# What settings need to know of kinds lies beside the kinds, and imports nothing of the package
# but the registry itself.
LEAVES = {
    "quadmix_assets.features.criteria.registry",
    "quadmix_assets.features.domains.registry",
    "quadmix_assets.search.regressors.registry",
    "quadmix_assets.search.strategies.registry",
    "quadmix_assets.search.acquisitions.registry",
    "quadmix_assets.mix.methods.registry",
    "quadmix_assets.corpus.target_formats.registry",
    "quadmix_assets.training.architectures",
}
WITH_DAGSTER = {
    "defs", "definitions", "staleness", "in_process", "whole_graph", "healing", "instance"
}  # fmt: skip


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported_at_once(path: Path) -> Iterator[str]:
    """What a module imports when it is imported itself: not in functions, not for types alone."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in names)


IMPORTS = {
    name: {other for other in imported_at_once(path) if other in MODULES}
    for name, path in MODULES.items()
}


def layer_of(module: str) -> int:
    room = module.split(".")[1]
    (number,) = (number for number, rooms in enumerate(LAYERS) if room in rooms)
    return number


def test_every_room_has_its_layer() -> None:
    rooms = {name.split(".")[1] for name in MODULES if "." in name}
    assert rooms == set.union(*LAYERS)


def test_no_module_imports_from_a_later_layer() -> None:
    upward = [
        f"{module} imports {other}"
        for module, others in IMPORTS.items()
        if "." in module
        for other in others - LEAVES
        if "." in other and layer_of(other) > layer_of(module)
    ]
    assert upward == []


def test_what_settings_read_of_kinds_are_leaves() -> None:
    for leaf in LEAVES:
        package = leaf.rsplit(".", 1)[0]
        others = {name for name in IMPORTS[leaf] if not name.startswith(package)}
        assert all(layer_of(other) <= layer_of("quadmix_assets.settings") for other in others), leaf


def test_imports_have_no_circles() -> None:
    list(TopologicalSorter(IMPORTS).static_order())


def test_only_the_outermost_rooms_import_dagster() -> None:
    found = {
        module.split(".")[1]
        for module, path in MODULES.items()
        if any(name.split(".")[0] == "dagster" for name in imported_at_once(path))
    }
    assert found <= WITH_DAGSTER
