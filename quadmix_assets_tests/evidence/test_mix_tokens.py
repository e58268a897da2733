"""What models read of a mix: about what their budget asks for, and never nothing."""

from pathlib import Path

import pytest

from quadmix_assets.evidence.mix_tokens import MixSize, tokens_of_mixes
from quadmix_assets.mix.selections import read_mix
from quadmix_assets_tests.evidence.small_lake import write_small_lake


@pytest.mark.parametrize(
    ("size", "n_tokens", "share"),
    [
        (MixSize(n_documents=10_000, n_tokens=1_000_000), 100_000, 0.12),
        (MixSize(n_documents=10_000, n_tokens=1_000_000), 5_000_000, 1.0),
        # By tokens it would be 0.012, of which a mix of 78 documents may well have none.
        (MixSize(n_documents=78, n_tokens=100_000), 1_000, 32 / 78),
        (MixSize(n_documents=0, n_tokens=0), 1_000, 1.0),
    ],
)
def test_a_mix_is_thinned_to_its_budget_and_to_some_documents(
    size: MixSize, n_tokens: int, share: float
) -> None:
    assert size.share_for(n_tokens) == pytest.approx(share)


def test_no_model_is_left_without_a_document(tmp_path: Path) -> None:
    settings, store = write_small_lake(tmp_path)
    mixes = [read_mix(store, name) for name in ("all", "half")]
    # A sixtieth of a document of the mix `all`.
    n_tokens, n_seeds = 1, 64
    with tokens_of_mixes(store, settings, mixes, n_tokens=n_tokens, n_seeds=n_seeds) as tokens:
        for rows in mixes:
            taken = [len(tokens.selection(rows.mix, n_tokens, k).documents) for k in range(n_seeds)]
            n_documents = MixSize.of(rows).n_documents
            assert min(taken) > 0
            assert sum(taken) / n_seeds == pytest.approx(min(32, n_documents), rel=0.15)
