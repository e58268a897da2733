import numpy as np

from quadmix_assets.training.selection import Selection

N_TOKENS = np.array([10, 20, 30, 40])
HASHES = np.array([4, 3, 2, 1], dtype=np.uint64)


def best(scores: list[float], tokens: float) -> list[int]:
    found = Selection.best("mine", np.array(scores), HASHES, N_TOKENS, tokens=tokens)
    assert (found.copies == 1).all()
    return found.documents.tolist()


def test_of_copies_keeps_what_is_taken() -> None:
    found = Selection.of_copies("mine", np.array([0, 2, 0, 1], np.int32))
    assert found.documents.tolist() == [1, 3]
    assert found.copies.tolist() == [2, 1]
    assert found.n_tokens(N_TOKENS) == 80
    sample = found.sample(7, seed=1, order_seed=2)
    assert (sample.sample_id, sample.seed, sample.order_seed) == (7, 1, 2)
    assert sample.documents is found.documents


def test_the_best_are_whole_documents_up_to_the_tokens() -> None:
    assert best([0.3, 0.1, 0.2, 0.4], 59.9) == [1, 2]
    assert best([0.3, 0.1, 0.2, 0.4], 60.0) == [0, 1, 2]
    assert best([0.0, 0.0, 0.0, 0.0], 70) == [2, 3], "equal ones by their hash"
    assert best([0.3, 0.1, 0.2, 0.4], 1_000) == [0, 1, 2, 3]


def test_one_document_is_taken_at_least() -> None:
    assert best([0.3, 0.1, 0.2, 0.4], 5) == [1]
