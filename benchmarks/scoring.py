"""Scores documents of real lengths with an encoder: this project against a padded pipeline.

    python -m benchmarks.scoring --texts 'folder/*.parquet' --documents 192

The encoder has BERT-base's architecture (as FineWeb-Edu's classifier has) and random weights; its
WordPiece vocabulary is trained on the same texts. The baseline is transformers' own pipeline,
padded to 512 tokens in batches of 32. Without --texts the demo's generated documents are used.
Prints documents per second of both, the ratio, and the largest difference between the scores.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
    pipeline,
)
from upath import UPath

from quadmix_assets.corpus.planted import pool_document
from quadmix_assets.features.criteria.fineweb_edu import FinewebEduCriterion, FinewebEduSettings
from quadmix_assets.features.inference import Runtime
from quadmix_assets.settings import InferenceSettings

MAX_TOKENS = 512
VOCABULARY = 30_522
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def read_texts(pattern: str | None) -> pl.Series:
    """Texts of Parquet files, or generated ones."""
    if pattern is None:
        return pl.Series("text", [pool_document(index).text for index in range(5_000)])
    files = sorted(Path(pattern).parent.glob(Path(pattern).name))
    return pl.concat([pl.read_parquet(file, columns=["text"]) for file in files])["text"]


def save_encoder(folder: Path, texts: pl.Series) -> None:
    """A checkpoint in the layout of the published classifier."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=VOCABULARY, special_tokens=list(SPECIAL), show_progress=False
    )
    tokenizer.train_from_iterator(texts.to_list(), trainer)
    # Special tokens come first in the vocabulary, in their order.
    cls, sep = SPECIAL.index("[CLS]"), SPECIAL.index("[SEP]")
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", sep), ("[CLS]", cls))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=MAX_TOKENS,
        **dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), SPECIAL, strict=False)),
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(vocab_size=VOCABULARY, problem_type="regression")
    config.num_labels = 1
    BertForSequenceClassification(config).save_pretrained(folder)


def padded_pipeline(folder: Path, texts: list[str]) -> tuple[np.ndarray, float]:
    """Scores and seconds of transformers' pipeline, without loading the model."""
    classify = pipeline("text-classification", model=str(folder), device="cpu")
    start = time.perf_counter()
    results = classify(
        texts,
        padding="max_length",
        truncation=True,
        max_length=MAX_TOKENS,
        batch_size=32,
        function_to_apply="none",
    )
    return np.array([r["score"] for r in results]), time.perf_counter() - start


def ours(folder: Path, texts: list[str], batch_tokens: int | None) -> tuple[np.ndarray, float]:
    """Scores and seconds of the criterion, without loading the model."""
    settings = FinewebEduSettings(kind="fineweb_edu", model=str(folder))
    inference = InferenceSettings(
        device="cpu", batch_tokens=batch_tokens, n_threads=torch.get_num_threads()
    )
    criterion = FinewebEduCriterion(settings, Runtime(inference, UPath))
    criterion.score(pl.DataFrame({"text": ["a first text loads the model"]}))
    frame = pl.DataFrame({"text": texts})
    start = time.perf_counter()
    scores = criterion.score(frame)
    return scores, time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", help="pattern of Parquet files with a text column")
    parser.add_argument("--documents", type=int, default=192)
    parser.add_argument("--batch-tokens", type=int, nargs="+", default=[1_024])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    pool = read_texts(options.texts)
    chosen = pool.sample(options.documents, seed=options.seed).to_list()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_encoder(folder, pool.sample(min(len(pool), 8_000), seed=1))
        for batch_tokens in options.batch_tokens:
            # Measured before and after the pipeline, because other programs may slow the machine.
            first, before = ours(folder, chosen, batch_tokens)
            expected, plain = padded_pipeline(folder, chosen)
            second, after = ours(folder, chosen, batch_tokens)
            difference = max(abs(first - expected).max(), abs(second - expected).max())
            seconds = (before + after) / 2
            n = len(chosen)
            print(
                f"{n} documents, {batch_tokens} tokens a batch: pipeline {n / plain:.2f}/s, this "
                f"project {n / before:.2f}/s before and {n / after:.2f}/s after, "
                f"ratio {plain / seconds:.2f}; scores differ by at most {difference:.1e}"
            )


if __name__ == "__main__":
    main()
