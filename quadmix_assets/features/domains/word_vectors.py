"""Embeds texts as the mean of fastText word vectors trained on a sample of the pool."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from quadmix_assets.features.fasttext_model import one_line

# fastText trains on at most 1,024 words of a line, so longer texts become several lines.
_WORDS_PER_LINE = 1_000
# Words with fewer occurrences get no vector, unless the sample is small.
_MIN_COUNT, _SMALL_SAMPLE = 3, 1_000


class WordVectors:
    """Word vectors; equal training texts in equal order give equal bytes."""

    def __init__(self, content: bytes) -> None:
        """Load vectors from the bytes of a fastText binary file."""
        import fasttext

        self.content = content
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.bin")
            path.write_bytes(content)
            self._model = fasttext.load_model(str(path))

    @classmethod
    def train(cls, texts: Sequence[str], dimension: int) -> "WordVectors":
        """Train skip-gram vectors of length `dimension` on D texts, in one thread."""
        import fasttext

        with tempfile.TemporaryDirectory() as folder:
            data, model = Path(folder, "train.txt"), Path(folder, "model.bin")
            with data.open("w", encoding="utf-8") as file:
                for text in texts:
                    words = one_line(text).split()
                    for start in range(0, len(words), _WORDS_PER_LINE):
                        file.write(" ".join(words[start : start + _WORDS_PER_LINE]) + "\n")
            trained = fasttext.train_unsupervised(
                str(data),
                model="skipgram",
                dim=dimension,
                epoch=2,
                minCount=_MIN_COUNT if len(texts) > _SMALL_SAMPLE else 1,
                maxn=0,
                thread=1,
                verbose=0,
            )
            trained.save_model(str(model))
            return cls(model.read_bytes())

    def embed(self, texts: pl.Series) -> np.ndarray:
        """(D, H) float32: the mean vector of the words of each text, scaled to length 1."""
        vectors = np.stack([self._model.get_sentence_vector(one_line(text)) for text in texts])
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        result: np.ndarray = vectors / np.maximum(lengths, 1e-12)
        return result
