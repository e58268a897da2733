import subprocess
import sys
from collections import Counter
from itertools import pairwise
from math import log

import numpy as np
import pytest
from scipy.stats import kstest, spearmanr

from quadmix_assets.corpus.planted import (
    DOMAIN_SHARES,
    DOMAINS,
    TARGET_BLEND,
    Document,
    labelled_document,
    pool_document,
    target_document,
)

STOP_WORDS = frozenset(
    ("the", "a", "an", "of", "and", "to", "in", "is", "that", "it", "for", "as", "with", "on", "at")
)
N_POOL, N_TARGET = 3000, 500


@pytest.fixture(scope="module")
def pool() -> list[Document]:
    return [pool_document(index) for index in range(N_POOL)]


@pytest.fixture(scope="module")
def target() -> list[Document]:
    return [target_document(index) for index in range(N_TARGET)]


def words(document: Document) -> list[str]:
    return document.text.split()


def correlation(pool: list[Document], statistic: list[float]) -> float:
    return float(spearmanr([document.quality for document in pool], statistic)[0])


def test_a_document_depends_on_nothing_but_seed_stream_and_index() -> None:
    script = (
        "from quadmix_assets.corpus.planted import pool_document\n"
        "print(repr(pool_document(17, seed=3)))"
    )
    fresh = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONHASHSEED": "12345", "PYTHONPATH": ":".join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        check=True,
    )
    pool_document(4)
    assert fresh.stdout.strip() == repr(pool_document(17, seed=3))
    texts = {make(17, seed=s).text for s in (3, 4) for make in (pool_document, target_document)}
    assert len(texts) == 4


def test_ids_and_texts_are_distinct_over_pool_labels_and_target(
    pool: list[Document], target: list[Document]
) -> None:
    everything = pool + target + [labelled_document(index) for index in range(500)]
    assert len({document.id for document in everything}) == len(everything)
    assert len({document.text for document in everything}) == len(everything)
    assert pool[123].id == "planted-000123"


def test_lengths(pool: list[Document], target: list[Document]) -> None:
    lengths = [len(words(document)) for document in pool + target]
    assert min(lengths) >= 60
    assert max(lengths) <= 400
    assert np.percentile(lengths, 90) > 2.5 * np.percentile(lengths, 10)
    # Length says nothing about quality.
    assert abs(correlation(pool, [len(words(document)) for document in pool])) < 0.1


def test_domains_have_their_shares_and_the_same_spread_of_quality(pool: list[Document]) -> None:
    assert sum(DOMAIN_SHARES.values()) == pytest.approx(1.0)
    assert len(DOMAINS) == 9
    for domain, share in DOMAIN_SHARES.items():
        qualities = [document.quality for document in pool if document.domain == domain]
        assert len(qualities) / N_POOL == pytest.approx(share, abs=5 * (share / N_POOL) ** 0.5)
        assert kstest(qualities, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("n", [50, N_TARGET])
def test_target_has_its_blend_from_the_first_documents_on(target: list[Document], n: int) -> None:
    assert sum(TARGET_BLEND.values()) == pytest.approx(1.0)
    counts = Counter(document.domain for document in target[:n])
    assert set(counts) == set(TARGET_BLEND)
    for domain, share in TARGET_BLEND.items():
        assert abs(counts[domain] - share * n) < 4
    assert all(0.95 <= document.quality <= 1.0 for document in target)


def test_labelled_examples_are_balanced_and_of_all_qualities() -> None:
    examples = [labelled_document(index) for index in range(40 * len(DOMAINS))]
    assert set(Counter(document.domain for document in examples).values()) == {40}
    assert kstest([document.quality for document in examples], "uniform").pvalue > 1e-3


def test_quality_shows_in_rules_on_lines(pool: list[Document]) -> None:
    def repeated(document: Document) -> float:
        lines = [line for line in document.text.split("\n") if line]
        return 1 - len(set(lines)) / len(lines)

    def closed(document: Document) -> float:
        lines = [line for line in document.text.split("\n") if line]
        return sum(line[-1] in ".?" for line in lines) / len(lines)

    assert -0.8 < correlation(pool, [repeated(document) for document in pool]) < -0.25
    assert 0.4 < correlation(pool, [closed(document) for document in pool]) < 0.9


def test_quality_shows_in_words(pool: list[Document], target: list[Document]) -> None:
    counts = Counter(word for document in target for word in words(document))
    total = sum(counts.values()) + 0.5 * len(counts)

    def stop_share(document: Document) -> float:
        return sum(word.lower() in STOP_WORDS for word in words(document)) / len(words(document))

    def cross_entropy(document: Document) -> float:
        nats = [-log((counts[word] + 0.5) / total) for word in words(document)]
        return sum(nats) / len(nats)

    assert 0.3 < correlation(pool, [stop_share(document) for document in pool]) < 0.9
    good = [document for document in pool if document.domain in TARGET_BLEND]
    assert -0.95 < correlation(good, [cross_entropy(document) for document in good]) < -0.5


def test_damage_is_gradual(pool: list[Document], target: list[Document]) -> None:
    """Each fifth of quality has fewer bigrams known from the clean target than the next one."""
    known = {pair for t in target for pair in pairwise(words(t))}
    sums = np.zeros((5, 2))
    for document in pool:
        if document.domain in TARGET_BLEND:
            pairs = list(pairwise(words(document)))
            bin_ = min(4, int(document.quality * 5))
            sums[bin_] += sum(pair in known for pair in pairs), len(pairs)
    shares = sums[:, 0] / sums[:, 1]
    assert (np.diff(shares) > 0).all()
    assert shares[-1] > 0.8
    assert shares[0] < 0.45


def test_good_text_has_no_junk_and_the_worst_hardly_lacks_it(pool: list[Document]) -> None:
    def spoiled(document: Document) -> bool:
        lines = [line for line in document.text.split("\n") if line]
        return len(set(lines)) < len(lines) or any(line[-1] not in ".?" for line in lines)

    best = [spoiled(document) for document in pool if document.quality > 0.97]
    worst = [spoiled(document) for document in pool if document.quality < 0.1]
    assert np.mean(best) < 0.15
    assert np.mean(worst) > 0.98


def test_words_identify_the_domain() -> None:
    """Naive Bayes with unigrams of the labelled examples, asked about clean text of the pool."""
    counts: dict[str, Counter[str]] = {domain: Counter() for domain in DOMAINS}
    for index in range(30 * len(DOMAINS)):
        example = labelled_document(index)
        counts[example.domain].update(example.text.lower().split())
    n_words = {domain: sum(counter.values()) for domain, counter in counts.items()}
    size = len(set().union(*counts.values()))

    def guess(document: Document) -> str:
        def log_likelihood(domain: str) -> float:
            return sum(
                log((counts[domain][word] + 1) / (n_words[domain] + size))
                for word in document.text.lower().split()
            )

        return max(DOMAINS, key=log_likelihood)

    clean = [d for d in map(pool_document, range(1500)) if d.quality > 0.9]
    assert np.mean([guess(document) == document.domain for document in clean]) > 0.98


def test_what_a_bigram_model_learns_depends_on_domain_and_quality(target: list[Document]) -> None:
    """Mean loss on clean astronomy after 6,000 words of each kind of training text."""
    candidates = [pool_document(index) for index in range(6000)]
    held_out = [document for document in target if document.domain == "astronomy"]

    def loss_nats(domain: str, low: float, high: float) -> float:
        train: list[str] = []
        for document in candidates:
            if document.domain == domain and low <= document.quality < high:
                train += words(document)
        train = train[:6000]
        assert len(train) == 6000
        singles, pairs = Counter(train), Counter(pairwise(train))
        total = 0.0
        n_words = 0
        for document in held_out:
            tokens = words(document)
            for before, word in pairwise(tokens):
                single = (singles[word] + 0.1) / (len(train) + 0.1 * 20_000)
                total -= log((pairs[before, word] + 2 * single) / (singles[before] + 2))
            n_words += len(tokens) - 1
        return total / n_words

    good, fair, poor = (
        loss_nats("astronomy", *bounds) for bounds in ((0.75, 1.0), (0.4, 0.65), (0.0, 0.25))
    )
    foreign = loss_nats("travel", 0.75, 1.0)
    assert good + 0.15 < fair
    assert fair + 0.3 < poor
    assert good + 1.0 < foreign
