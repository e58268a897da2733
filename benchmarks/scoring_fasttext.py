"""The fastText criterion against fastText's own multi-line predict, with one and two processes.

    python -m benchmarks.scoring_fasttext --texts 'folder/*.parquet' --documents 20000

The baseline gets texts that are on one line already, and its predictions are discarded; the
criterion gets documents as they are and returns scores. The model is trained on the same texts.
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import polars as pl

from benchmarks.scoring import read_texts
from quadmix_assets.features.criteria.dclm import DclmCriterion, DclmSettings
from quadmix_assets.features.fasttext_model import FasttextModel, one_line

FILE = "model.bin"


def save_model(folder: Path, texts: list[str]) -> None:
    """Save a model with DCLM's label names, word bigrams, 200,000 buckets; labels are arbitrary."""
    model = FasttextModel.train(
        texts,
        ["hq" if len(text) % 2 else "cc" for text in texts],
        seed=0,
        epochs=1,
        dimension=100,
        n_word_ngrams=2,
        learning_rate=0.1,
        n_buckets=200_000,
    )
    (folder / FILE).write_bytes(model.content)


def criterion_seconds(folder: Path, texts: list[str], repeats: int) -> float:
    """The shortest time in which the criterion scores all texts."""
    criterion = DclmCriterion(DclmSettings(kind="dclm", model=str(folder), file=FILE))
    frame = pl.DataFrame({"text": texts})
    criterion.score(frame.head(1))
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        for window in frame.iter_slices(2_048):
            criterion.score(window)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def raw_seconds(folder: Path, texts: list[str], repeats: int) -> float:
    """The shortest time in which fastText predicts all prepared lines."""
    model = FasttextModel.open(folder / FILE)._model
    lines = [one_line(text) + "\n" for text in texts]
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        for first in range(0, len(lines), 2_048):
            model.f.multilinePredict(lines[first : first + 2_048], 2, 0.0, "strict")
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", help="pattern of Parquet files with a text column")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    pool = read_texts(options.texts)
    texts = pool.sample(min(options.documents, len(pool)), seed=0).to_list()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_model(folder, texts[:5_000])
        raw = raw_seconds(folder, texts, options.repeats)
        ours = criterion_seconds(folder, texts, options.repeats)
        halves = [texts[::2], texts[1::2]]
        with multiprocessing.get_context("spawn").Pool(2) as workers:
            both = workers.starmap(
                criterion_seconds, [(folder, half, options.repeats) for half in halves]
            )
    n = len(texts)
    print(
        f"{n:,} documents: raw predict {n / raw:,.0f}/s, criterion {n / ours:,.0f}/s, ratio "
        f"{raw / ours:.2f}; two processes {n / max(both):,.0f}/s, {ours / max(both):.2f} times one"
    )


if __name__ == "__main__":
    main()
