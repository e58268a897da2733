"""Writes values and comments of a YAML file as text."""

from collections.abc import Iterable
from typing import Any

import yaml

_WIDTH = 98


def yaml_value(value: Any) -> str:
    """A value as YAML, on one line."""
    text = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=True,
        width=float("inf"),
        sort_keys=False,
        allow_unicode=True,
    )
    return text.removesuffix("\n").removesuffix("\n...")


def comment(sentences: Iterable[str], indent: str = "") -> list[str]:
    """Comment lines, each sentence wrapped on its own."""
    lines = []
    for sentence in sentences:
        line = f"{indent}#"
        for word in printable(sentence).split():
            if len(line) + len(word) + 1 > _WIDTH and line != f"{indent}#":
                lines.append(line)
                line = f"{indent}#"
            line += f" {word}"
        lines.append(line)
    return lines


def printable(text: str) -> str:
    """The text without control characters, which YAML refuses in comments too."""
    return "".join(c if c.isprintable() else " " for c in text)


def shown_count(number: float) -> str:
    """A number of tokens with a unit, for example 66.9M."""
    for unit, name in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k")):
        if number >= unit:
            return f"{number / unit:.3g}{name}"
    return f"{number:.0f}"


def shown_shards(number: int) -> str:
    """A number of shards in words."""
    return f"{number:,} shard{'' if number == 1 else 's'}"


class _Dumper(yaml.SafeDumper):
    """Writes line ends in strings as backslash and n, so that a value stays on its line."""


def _write_string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _write_string)
