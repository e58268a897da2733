"""YAML says one thing, or what is wrong with it and where."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.settings import SettingsError, load_settings
from quadmix_assets.settings.yaml_text import parse_yaml
from quadmix_assets_tests.conftest import write_profile


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("a: 1\nb: 2\na: 3\n", ["line 3: the key 'a' is given twice, first in line 1"]),
        ("s:\n  a: 1\n\n  a: 1\n", ["line 4: the key 'a' is given twice, first in line 2"]),
        ("l:\n- {k: 1, k: 2}\n", ["line 2: the key 'k' is given twice, first in line 2"]),
        ("on: 1\ntrue: 2\n", ["line 2: the key 'true' is given twice, first in line 1"]),
        (
            "a: {x: 1}\nb:\n  c: 1\n  c: 2\na: {y: 1}\n",
            ["line 5: the key 'a' is given", "line 4: the key 'c' is given"],
        ),
        ("a: &x [*x]\n", ["line 1: a value holds itself"]),
        ("a: [1\n", ["expected ',' or ']'"]),
        ("a: !!python/object:os.system {}\n", ["could not determine a constructor"]),
        ("[" * 5_000, ["nested too deep"]),
        ("a: {[1]: 2}\n", ["unhashable"]),
    ],
)
def test_what_is_not_clear_is_refused(text: str, messages: list[str]) -> None:
    with pytest.raises(ValueError) as raised:
        parse_yaml(text)
    for message in messages:
        assert message in str(raised.value)


def test_aliases_that_expand_to_billions_are_refused() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for n in range(1, 10):
        lines.append(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]")
    with pytest.raises(ValueError, match=r"line \d: aliases expand to over 100,000 values"):
        parse_yaml("\n".join(lines))


def test_merges_and_aliases_are_read() -> None:
    text = "base: &base {a: 1, b: 2}\nfirst: {<<: *base, a: 3}\nsecond: *base\n"
    assert parse_yaml(text) == yaml.safe_load(text)
    assert parse_yaml("") is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_every_dumped_value_is_read_back(value: object) -> None:
    assert parse_yaml(yaml.safe_dump(value)) == value


def test_a_section_that_is_given_twice_is_refused_with_file_and_lines(tmp_path: Path) -> None:
    path = write_profile(tmp_path)
    n_lines = len(path.read_text().splitlines())
    path.write_text(path.read_text() + "corpus:\n  raw: elsewhere\n")
    with pytest.raises(SettingsError, match=rf"tiny.yaml: .*line {n_lines + 1}: the key 'corpus'"):
        load_settings(path)


@pytest.mark.parametrize("location", ["{seed}", "{profile.__class__}", "{0}", "{profile:>99}"])
def test_paths_take_the_profile_alone(tmp_path: Path, location: str) -> None:
    with pytest.raises(SettingsError, match=r"lake: .* in braces a path has \{profile\} alone"):
        load_settings(write_profile(tmp_path, lake=f"lakes/{location}"))
    settings = load_settings(write_profile(tmp_path, lake="lakes/{profile}/{profile}"))
    assert str(settings.resolve(settings.lake)) == str(tmp_path / "lakes" / "tiny" / "tiny")
    assert str(settings.resolve("a{b")) == str(tmp_path / "a{b")
