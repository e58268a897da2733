"""Reads YAML that says one thing: a key that is given twice is an error, not a silent last word."""

from collections.abc import Hashable
from typing import Any

import yaml

# What aliases may expand to; without them, as many values would be a file of megabytes.
_MAX_VALUES = 100_000
_MERGE = "tag:yaml.org,2002:merge"


def parse_yaml(text: str) -> Any:
    """The value of a YAML text; None if it is empty.

    Raises:
        ValueError: it is not YAML, a mapping has a key twice (the message names every such key
            with its lines), or it is nested too deep or expands to too much.
    """
    try:
        return _parsed(yaml.SafeLoader(text))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("its lists and mappings are nested too deep") from None


def _parsed(loader: yaml.SafeLoader) -> Any:
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        twice: list[str] = []
        _Inspection(loader, twice).size(node, ())
        if twice:
            raise ValueError("; ".join(twice))
        return loader.construct_document(node)
    finally:
        loader.dispose()


class _Inspection:
    """Walks the nodes of a document; a node with several aliases is looked at once."""

    def __init__(self, loader: yaml.SafeLoader, twice: list[str]) -> None:
        self._loader = loader
        self._twice = twice
        self._sizes: dict[int, int] = {}

    def size(self, node: yaml.Node, above: tuple[int, ...]) -> int:
        """The number of values that a node expands to.

        Raises:
            ValueError: it holds itself, or expands to too many.
        """
        if id(node) in above:
            raise ValueError(f"line {_line(node)}: a value holds itself by an alias")
        if id(node) in self._sizes:
            return self._sizes[id(node)]
        size = 1
        inside = (*above, id(node))
        if isinstance(node, yaml.MappingNode):
            self._find_twice(node)
            size += sum(self.size(part, inside) for pair in node.value for part in pair)
        elif isinstance(node, yaml.SequenceNode):
            size += sum(self.size(part, inside) for part in node.value)
        if size > _MAX_VALUES:
            raise ValueError(f"line {_line(node)}: aliases expand to over {_MAX_VALUES:,} values")
        self._sizes[id(node)] = size
        return size

    def _find_twice(self, mapping: yaml.MappingNode) -> None:
        lines: dict[Hashable, int] = {}
        for key, _ in mapping.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            name = _MERGE if key.tag == _MERGE else self._loader.construct_object(key)
            if name in lines:
                self._twice.append(
                    f"line {_line(key)}: the key {key.value!r} is given twice, first in line "
                    f"{lines[name]}"
                )
            lines.setdefault(name, _line(key))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
