from pathlib import Path

import numpy as np
import pytest

from quadmix_assets.training.token_file import TokenFile, TokenFileError, TokenFileWriter


@pytest.mark.parametrize(
    ("vocab_size", "dtype"), [(1 << 16, np.uint16), ((1 << 16) + 1, np.uint32)]
)
def test_documents_come_back_in_the_narrowest_dtype(
    tmp_path: Path, vocab_size: int, dtype: type
) -> None:
    rng = np.random.default_rng(0)
    documents = [rng.integers(0, vocab_size, rng.integers(0, 30)) for _ in range(500)]
    documents[7] = np.array([vocab_size - 1])
    with TokenFileWriter(tmp_path / "token_file", vocab_size) as writer:
        writer.append(documents[:100])
        writer.append([])
        rest = documents[100:]
        writer.append_flat(np.concatenate(rest), np.array([len(d) for d in rest]))
    token_file = TokenFile.open(tmp_path / "token_file")
    assert token_file.tokens.dtype == dtype
    assert isinstance(token_file.tokens, np.memmap)
    assert len(token_file) == 500
    np.testing.assert_array_equal(token_file.n_tokens, [len(d) for d in documents])
    for number, document in enumerate(documents):
        np.testing.assert_array_equal(token_file[number], document)


def test_files_are_plain_numpy_files_and_nothing_else_is_left(tmp_path: Path) -> None:
    with TokenFileWriter(tmp_path, 300) as writer:
        # Enough tokens that the header's length grows while it is written in place.
        writer.append([np.arange(300)] * 500)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["offsets.npy", "tokens.npy"]
    np.testing.assert_array_equal(np.load(tmp_path / "tokens.npy"), np.tile(np.arange(300), 500))
    np.testing.assert_array_equal(np.load(tmp_path / "offsets.npy"), np.arange(501) * 300)


def test_same_documents_give_the_same_bytes_however_they_are_appended(tmp_path: Path) -> None:
    documents = [[1, 2, 3], [], [4]]
    with TokenFileWriter(tmp_path / "a", 10) as writer:
        writer.append(documents)
    with TokenFileWriter(tmp_path / "b", 10) as writer:
        for document in documents:
            writer.append([document])
    for name in ("tokens.npy", "offsets.npy"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_pool_of_no_documents_opens(tmp_path: Path) -> None:
    with TokenFileWriter(tmp_path, 10):
        pass
    assert len(TokenFile.open(tmp_path)) == 0


def test_an_error_leaves_the_old_pool_as_it_was(tmp_path: Path) -> None:
    with TokenFileWriter(tmp_path, 10) as writer:
        writer.append([[1, 2]])
    with pytest.raises(RuntimeError, match="cut off"), TokenFileWriter(tmp_path, 10) as writer:
        writer.append([[3, 4, 5]])
        raise RuntimeError("cut off")
    np.testing.assert_array_equal(TokenFile.open(tmp_path)[0], [1, 2])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["offsets.npy", "tokens.npy"]


def test_ids_outside_the_vocabulary_and_wrong_lengths_are_refused(tmp_path: Path) -> None:
    with TokenFileWriter(tmp_path, 10) as writer:
        with pytest.raises(ValueError, match="run from 3 to 10"):
            writer.append([[3, 10]])
        with pytest.raises(ValueError, match="run from -1 to 3"):
            writer.append([[3, -1]])
        with pytest.raises(ValueError, match="add up to 3, not 2"):
            writer.append_flat(np.array([1, 2]), np.array([3]))
    assert len(TokenFile.open(tmp_path)) == 0


def test_missing_or_mismatched_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(TokenFileError, match=r"tokens\.npy: not there"):
        TokenFile.open(tmp_path)
    with TokenFileWriter(tmp_path, 10) as writer:
        writer.append([[1, 2]])
    np.save(tmp_path / "offsets.npy", np.array([0, 3]))
    with pytest.raises(TokenFileError, match="different writes"):
        TokenFile.open(tmp_path)
