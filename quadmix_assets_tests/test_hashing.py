from pathlib import Path

import pytest
import xxhash
from upath import UPath

from quadmix_assets.hashing import hash_bytes, hash_file, hash_files, hash_number

CONTENT = bytes(range(256)) * 10_000


def test_published_digests() -> None:
    """So that no release of a library can change a mix."""
    assert hash_bytes(b"") == "99aa06d3014798d86001c324468d497f"
    assert hash_number(b"") == 0x2D06800538D394C2


@pytest.mark.parametrize("make", [Path, UPath])
def test_a_file_has_the_hash_of_its_bytes(tmp_path: Path, make: type[Path] | type[UPath]) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    assert hash_file(make(tmp_path / "a")) == hash_bytes(CONTENT)


def test_files_are_hashed_with_their_names(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_bytes(CONTENT)
    (tmp_path / "b").write_bytes(b"2")
    expected = xxhash.xxh3_128_hexdigest(b"sub/a" + CONTENT + b"b" + b"2")
    assert hash_files(tmp_path, ["sub/a", "b"]) == expected
    assert hash_files(tmp_path, ["b", "sub/a"]) != expected
