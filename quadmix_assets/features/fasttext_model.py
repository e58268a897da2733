"""A supervised fastText classifier: equal data, settings and seed give equal bytes."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from quadmix_assets.hashing import hash_bytes, hash_number

_LABEL_PREFIX = "__label__"
_END_OF_LINE = "</s>"
_BLANKS = " \n\r\t\v\f\0"
# Words that occur once in the training data do not generalize and are more than half of all
# distinct words: dropping them halves the size of the model.
_MIN_COUNT = 2
# fastText reports exp(log(p + 1e-5)), that is p + 1e-5.
_LOG_OFFSET = 1e-5
# fastText holds the GIL while it predicts. It gets texts in chunks of this size, so that other
# threads (Dagster's heartbeats) run a few times per second.
_CHUNK_CHARACTERS = 2_000_000


def one_line(text: str) -> str:
    """A text as fastText can read it: one line, and none of its reserved words.

    Line ends become spaces, and so do `</s>`, at which fastText stops reading, and `__label__`,
    which would turn a word of the text into a label. Case and punctuation are unchanged.
    """
    return text.replace("\n", " ").replace(_END_OF_LINE, " ").replace(_LABEL_PREFIX, " ")


def has_words(text: str) -> bool:
    """Whether fastText finds a word in a text."""
    return bool(one_line(text).strip(_BLANKS))


class FasttextModel:
    """A trained classifier: texts in, probabilities of its labels out."""

    def __init__(self, content: bytes) -> None:
        """Load a model from the bytes of a fastText binary file."""
        self.content = content
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.bin")
            path.write_bytes(content)
            self._load(path)

    @classmethod
    def open(cls, path: Path) -> "FasttextModel":
        """Load a model from a file without keeping its bytes: `content` is not set.

        Raises:
            ValueError: the file is not a fastText model.
        """
        model = object.__new__(cls)
        try:
            model._load(path)
        except ValueError as error:
            raise ValueError(f"{path}: expected a binary fastText model ({error})") from error
        return model

    def _load(self, path: Path) -> None:
        import fasttext

        self._model = fasttext.load_model(str(path))
        names = (label.removeprefix(_LABEL_PREFIX) for label in self._model.get_labels())
        self.labels: tuple[str, ...] = tuple(sorted(names))

    @classmethod
    def train(
        cls,
        texts: Sequence[str],
        labels: Sequence[str],
        *,
        seed: int,
        epochs: int,
        dimension: int,
        n_word_ngrams: int,
        learning_rate: float,
        n_buckets: int,
    ) -> "FasttextModel":
        """Train on labelled texts, in one thread, so that equal input gives equal bytes.

        The order of the texts does not matter: they are sorted by a hash of text and seed. Texts
        without words are left out. Texts may be of any length (fastText's limit of 1,024 words per
        line applies to unsupervised training only).

        Args:
            texts: D texts.
            labels: D labels, without spaces.
            seed: of fastText's initialisation and of the order of the texts.
            epochs: passes over the texts.
            dimension: length of a word vector.
            n_word_ngrams: longest word n-gram that the classifier reads.
            learning_rate: at the first step; it falls linearly to 0.
            n_buckets: hash buckets of n-grams; used only if `n_word_ngrams` is above 1.

        Raises:
            ValueError: fewer than two labels have a text with words, or training diverged.
        """
        import fasttext

        lines = [
            f"{_LABEL_PREFIX}{label} {one_line(text)}\n".encode()
            for text, label in zip(texts, labels, strict=True)
            if has_words(text)
        ]
        found = {line.split(b" ", 1)[0] for line in lines}
        if len(found) < 2:
            raise ValueError(
                f"a classifier needs texts of at least two labels; {len(lines)} of {len(texts)} "
                f"texts have words, and they have {len(found)} label(s)"
            )
        lines.sort(key=lambda line: (hash_number(line, seed), line))
        with tempfile.TemporaryDirectory() as folder:
            data, model = Path(folder, "train.txt"), Path(folder, "model.bin")
            with data.open("wb") as file:
                file.writelines(lines)
            with _divergence_explained(learning_rate):
                trained = fasttext.train_supervised(
                    input=str(data),
                    epoch=epochs,
                    dim=dimension,
                    wordNgrams=n_word_ngrams,
                    lr=learning_rate,
                    bucket=n_buckets,
                    minCount=_MIN_COUNT,
                    loss="softmax",
                    thread=1,
                    seed=seed % (1 << 31),
                    verbose=0,
                )
            trained.save_model(str(model))
            return cls(model.read_bytes())

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """P(label) of D texts: (D, L) float64, in the order of `labels`; rows sum to 1.

        The rows of texts without words are 0. The largest entry of a row is 1 minus the others,
        which separates probabilities near 1 that fastText's float32 rounds to one value.
        """
        result = self.reported(texts)
        filled = np.flatnonzero(result.any(axis=1))
        result[filled] = np.maximum(result[filled] - _LOG_OFFSET, 0.0)
        best = result[filled].argmax(axis=1)
        result[filled, best] = 0.0
        result[filled, best] = 1.0 - result[filled].sum(axis=1)
        return result

    def reported(self, texts: Sequence[str]) -> np.ndarray:
        """P(label) of D texts as fastText reports it: (D, L) float64, up to 1.00001.

        The rows of texts without words are 0.
        """
        columns = {f"{_LABEL_PREFIX}{label}": k for k, label in enumerate(self.labels)}
        result = np.zeros((len(texts), len(self.labels)))
        for start, lines in _chunks(texts):
            # Not `predict`, which wraps this method and builds an array and a list for every line.
            labels, reported = self._model.f.multilinePredict(lines, -1, 0.0, "strict")
            rows = np.repeat(np.arange(len(lines)), [len(found) for found in labels])
            label_columns = [columns[label] for found in labels for label in found]
            result[start + rows, label_columns] = np.concatenate(reported)
            for row, line in enumerate(lines):
                if line[0] in _BLANKS and not line.strip(_BLANKS):
                    result[start + row] = 0.0
        return result

    @cached_property
    def fingerprint(self) -> str:
        """xxh3-128 of the model's bytes."""
        return hash_bytes(self.content)


def _chunks(texts: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    start, n_characters = 0, 0
    lines: list[str] = []
    for row, text in enumerate(texts):
        # fastText counts the end of a line as a word, here as in training.
        lines.append(one_line(text) + "\n")
        n_characters += len(text)
        if n_characters >= _CHUNK_CHARACTERS:
            yield start, lines
            start, n_characters, lines = row + 1, 0, []
    if lines:
        yield start, lines


@contextlib.contextmanager
def _divergence_explained(learning_rate: float) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise ValueError(
            f"fastText training failed ({error}): it diverges if learning_rate is too large; it "
            f"is {learning_rate}, try a tenth of that"
        ) from error
