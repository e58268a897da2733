"""Processor time of scoring per MB of text, in parts, on real shards of a project that was run.

    python -m benchmarks.scale.scoring --profile my/mixes.yaml --shards 4

Reads the lake and writes nothing there. Counts tokens by the tokenizers library too, and ends with
an error if a single count differs. Criteria that use a network are left out. What criteria share is
counted for the first of them.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from upath import UPath

from quadmix_assets.corpus.token_encoder import TokenEncoder
from quadmix_assets.corpus.tokenizer import count_tokens, project_tokenizer
from quadmix_assets.features.learned.fit import load_models
from quadmix_assets.features.score import score_shard
from quadmix_assets.features.window import Window
from quadmix_assets.outputs import FITTED_MODELS, RAW_SHARDS, SCORED_SHARDS
from quadmix_assets.settings import load_settings
from quadmix_assets.store import BATCH_ROWS, Store

_WITHOUT_NETWORK = ("heuristics", "importance", "target_fasttext", "column")


@dataclass(frozen=True)
class Part:
    """Processor time of a part of scoring.

    Attributes:
        name: of the part.
        cpu_seconds: of all threads.
        n_bytes: of the text.
    """

    name: str
    cpu_seconds: float
    n_bytes: int

    @property
    def mb_per_second(self) -> float:
        """MB of text that one core gets through in a second."""
        return self.n_bytes / 1e6 / self.cpu_seconds


def measure_scoring(profile: Path, n_shards: int, names: Sequence[str] | None = None) -> list[Part]:
    """The parts of scoring, the whole (`scored_shards`), and token counts by tokenizers.

    Args:
        profile: of a project that was run as far as its scores.
        n_shards: how many shards to score.
        names: of the criteria; None takes all that use no network.

    Raises:
        AssertionError: a count of tokens differs from that of the tokenizers library.
    """
    settings = load_settings(profile)
    lake = Store(settings.resolve(settings.lake))
    paths = sorted(lake.table_path(RAW_SHARDS, "x").parent.glob("*.parquet"))[:n_shards]
    shards = [path.stem for path in paths]
    with lake.local_folder(lake.root / FITTED_MODELS) as folder:
        models = load_models(folder, settings)
    criteria = [
        each
        for each in models.criteria
        if each.settings.kind in _WITHOUT_NETWORK and (names is None or each.name in names)
    ]
    columns = sorted({"id", "text", *(name for c in criteria for name in c.settings.columns_read)})
    tokenizer = project_tokenizer(lake)
    encoder = TokenEncoder(tokenizer)

    start = time.process_time()
    batches = [batch for path in paths for batch in lake.iter_table(path, columns, BATCH_ROWS)]
    reading = time.process_time() - start
    n_bytes = sum(int(batch["text"].str.len_bytes().sum()) for batch in batches)

    windows = [Window(batch) for batch in batches]

    def part(name: str, make: Callable[[Window], object]) -> Part:
        start = time.process_time()
        for window in windows:
            make(window)
        return Part(name, time.process_time() - start, n_bytes)

    for batch in batches:
        texts = batch["text"].to_list()
        assert (encoder.count(texts) == count_tokens(tokenizer, texts)).all()
    parts = [
        Part("reading", reading, n_bytes),
        part("tokens", lambda window: encoder.count(_texts(window))),
        *(part(criterion.name, criterion.score_window) for criterion in criteria),
        part("tokens by tokenizers", lambda window: count_tokens(tokenizer, _texts(window))),
    ]
    with tempfile.TemporaryDirectory() as folder_of_copy:
        copy = Store(UPath(folder_of_copy))
        (Path(folder_of_copy) / RAW_SHARDS).symlink_to(Path(str(lake.root / RAW_SHARDS)))
        start = time.process_time()
        for shard in shards:
            score_shard(copy, shard, criteria, encoder, {})
        return [*parts, Part(SCORED_SHARDS, time.process_time() - start, n_bytes)]


def _texts(window: Window) -> list[str]:
    return window.documents["text"].to_list()


def main() -> None:
    """Print the parts as a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--profile", type=Path, required=True)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--criteria", nargs="+", help="names; default: all without a network")
    arguments = parser.parse_args()
    print("| part | CPU seconds | MB/s of a core |")
    print("| --- | --- | --- |")
    for part in measure_scoring(arguments.profile, arguments.shards, arguments.criteria):
        print(f"| {part.name} | {part.cpu_seconds:.2f} | {part.mb_per_second:.1f} |")


if __name__ == "__main__":
    main()
