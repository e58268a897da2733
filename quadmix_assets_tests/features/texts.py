"""Texts made for the tests: prose about topics, and the spam that criteria should put last."""

from pathlib import Path

import numpy as np
import polars as pl

REAL_CORPUS = Path(__file__).parents[3] / "shared" / "corpus"


def _words(text: str) -> list[str]:
    return text.split()


TOPICS = {
    "cooking": _words("oven butter flour sauce onion garlic dough pan salt recipe simmer bake"),
    "astronomy": _words("orbit telescope galaxy planet star comet light mass nebula probe"),
    "law": _words("court statute judge appeal contract clause plaintiff verdict counsel"),
}
_FILLER = _words("small large early late careful common second familiar simple open")
_KEYWORDS = _words("buy cheap pills discount casino loans replica watches online free win now")

AWKWARD = {
    "empty": "",
    "blank": " \n\t\r\n ",
    "nul": "zero\0byte \0 between",
    "chinese": "量子计算机利用叠加态。它们很快！",
    "emoji": "😀😀 👩‍👩‍👧 ok 🎉",
    "reserved": "before </s> after __label__pool __label__target end",
    "one_word": "word",
    "marks": "!!! ... ??? --- ###",
    "line_separators": "a\u2028b\u2029c\u0085d\x1ce",
    "uuencoded": 'begin 644 x\nM(R$O8FEN+W-H"B,@5&AI<R!I<R!A(&9I;&4N"@``\n`\nend',
    "no_blanks": "abcdefghij" * 20_000,
}


def prose(rng: np.random.Generator, n_sentences: int = 12, topic: str = "cooking") -> str:
    """Sentences with stop words and punctuation, in two paragraphs."""
    sentences = []
    for _ in range(n_sentences):
        a, b, c = rng.choice(TOPICS[topic], 3)
        d, e = rng.choice(_FILLER, 2)
        sentences.append(
            f"The {d} {a} of the {b} will be ready with that {c}, and we have to keep it {e}."
        )
    half = n_sentences // 2
    return " ".join(sentences[:half]) + "\n\n" + " ".join(sentences[half:])


def spam(rng: np.random.Generator, n_words: int = 150) -> str:
    """Keywords in random order."""
    return " ".join(rng.choice(_KEYWORDS, n_words))


def repeated_spam(rng: np.random.Generator, n_lines: int = 20) -> str:
    """The same line of keywords again and again."""
    line = " ".join(rng.choice(_KEYWORDS, 6))
    return "\n".join([f"{line} {{click here}} ###"] * n_lines)


def documents(texts: dict[str, str]) -> pl.DataFrame:
    """A batch as raw_shards holds it."""
    return pl.DataFrame(
        {"id": list(texts), "text": list(texts.values())},
        schema={"id": pl.String, "text": pl.String},
    ).with_columns(source=pl.lit("test"), n_bytes=pl.col("text").str.len_bytes().cast(pl.Int64))
