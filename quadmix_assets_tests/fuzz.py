"""Reads thousands of broken inputs, targets and settings; only errors with a name may come of them.

As a program: `--cases` cases from `--seed` on. A case is a function of its number alone, so that
`--only` repeats one. It runs in a process of its own, since what is looked for may end it.
"""

import argparse
import contextlib
import gzip
import json
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
import zstandard
from upath import UPath

from quadmix_assets.corpus.normalize import normalize
from quadmix_assets.corpus.readers import UnreadableShardError, read_sample
from quadmix_assets.corpus.target_formats.registry import FORMATS
from quadmix_assets.corpus.target_sets import read_target_set
from quadmix_assets.settings import PROFILES_FOLDER, SettingsError, load_settings

Random = random.Random

_WORDS = [
    "a",
    "text",
    "id",
    "söurce",
    "日本",
    "\U0001f600",
    "x" * 300,
    "",
    " ",
    "\u200b",
    "NaN",
    "-0",
]
_TOKENS: list[bytes] = [
    b"", b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\n", b"\r\n", b"\0", b"\xff",
    b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\\ud800", b"NaN", b"Infinity", b"1e999", b"-", b"0" * 400,
    b"9" * 400, b"null", b"true", b'"text":', b'"id":', b'"id": "same"', b"[" * 2_000,
    b'{"a":' * 500, b"\xe2\x80\xa8",
]  # fmt: skip
_MAX_TEXT_BYTES = 2_000
_CARRIED = {"n": "int", "share": "float", "flag": "bool", "meta.url": "string"}


class WrongError(AssertionError):
    """A case has not come out as it must."""


def _value(rng: Random, depth: int = 0) -> Any:
    kinds: list[Callable[[], Any]] = [
        lambda: rng.choice(_WORDS),
        lambda: rng.choice(_WORDS) * rng.randint(1, 30),
        lambda: rng.randint(-(10 ** rng.randint(1, 30)), 10 ** rng.randint(1, 30)),
        lambda: rng.choice([0.5, 1e300, -0.0, 2.0, float("inf")]),
        lambda: rng.choice([None, True, False]),
    ]
    if depth < 3:
        kinds += [
            lambda: [_value(rng, depth + 1) for _ in range(rng.randint(0, 3))],
            lambda: {rng.choice(_WORDS): _value(rng, depth + 1) for _ in range(rng.randint(0, 3))},
        ]
    return rng.choice(kinds)()


def _row(rng: Random) -> dict[str, Any]:
    row: dict[str, Any] = {"id": str(rng.randint(0, 40)), "text": rng.choice(_WORDS) + " words"}
    for name in ("id", "text", "source", "n", "share", "flag", "meta", "other"):
        if rng.random() < 0.25:
            row[name] = _value(rng)
        elif rng.random() < 0.1:
            row.pop(name, None)
    return row


def _mutated(rng: Random, content: bytes, times: int) -> bytes:
    found = bytearray(content)
    for _ in range(times):
        place = rng.randint(0, len(found))
        way = rng.random()
        if way < 0.35 and place < len(found):
            found[place] ^= 1 << rng.randint(0, 7)
        elif way < 0.6:
            found[place:place] = rng.choice(_TOKENS)
        elif way < 0.75:
            del found[place : place + rng.randint(1, 20)]
        elif way < 0.85:
            start = rng.randint(0, len(found))
            found[place:place] = found[start : start + rng.randint(1, 60)]
        elif way < 0.9:
            del found[place:]
        elif place < len(found):
            found[place] = rng.choice([0, 255, 10, 34])
    return bytes(found)


def _count(path: Path) -> int:
    """Read a file as a shard; the rows that it gave."""
    n_rows = 0
    for batch in normalize(
        UPath(path),
        shard_key="shard",
        text_column="text",
        id_column="id",
        source_column="source",
        carried_columns=_CARRIED,
        max_text_bytes=_MAX_TEXT_BYTES,
        batch_rows=7,
    ):
        batch.documents.validate(full=True)
        batch.quarantined.validate(full=True)
        n_rows += len(batch.documents) + len(batch.quarantined)
    return n_rows


def _read(path: Path) -> int | None:
    """As `_count`; None if the file is refused. Its first rows are read as well."""
    with contextlib.suppress(UnreadableShardError):
        read_sample(UPath(path), n_rows=5)
    try:
        return _count(path)
    except UnreadableShardError as error:
        if str(path) not in str(error):
            raise WrongError(f"the error does not name the file: {error}") from error
        return None


def json_lines(rng: Random, folder: Path) -> None:
    """JSON lines, plain or compressed, mutated before or after compression."""
    rows = [_row(rng) for _ in range(rng.randint(0, 20))]
    lines = [json.dumps(row, ensure_ascii=rng.random() < 0.5).encode() for row in rows]
    content = _mutated(rng, b"\n".join(lines) + b"\n", rng.choice([0, 1, 1, 2, 5, 20]))
    packing: dict[str, Callable[[bytes], bytes]] = {
        "": bytes,
        ".gz": gzip.compress,
        ".zst": zstandard.compress,
    }
    suffix = rng.choice(["", *packing])
    stored = packing[suffix](content)
    is_damaged = bool(suffix) and rng.random() < 0.5
    if is_damaged:
        stored = _mutated(rng, stored, rng.randint(1, 3))
    path = folder / f"a.jsonl{suffix}"
    path.write_bytes(stored)
    n_rows = _read(path)
    n_lines = content.count(b"\n") + (not content.endswith(b"\n") and content != b"")
    if n_rows is not None and not is_damaged and n_rows != n_lines:
        raise WrongError(f"{n_lines} lines became {n_rows} rows")


def _column(rng: Random, n_rows: int) -> pa.Array:
    texts = [rng.choice([*_WORDS, None]) for _ in range(n_rows)]
    ways: list[Callable[[], pa.Array]] = [
        lambda: pa.array(texts, pa.string()),
        lambda: pa.array(texts, pa.string()).dictionary_encode(),
        lambda: pa.array(texts, pa.large_string()),
        lambda: pa.array([rng.randbytes(6) for _ in texts], pa.binary()),
        lambda: pa.array([rng.randbytes(4) for _ in texts], pa.binary(4)),
        lambda: pa.array([rng.randint(-(2**62), 2**62) for _ in texts], pa.int64()),
        lambda: pa.array([rng.choice([0.5, None, float("nan"), 1e300]) for _ in texts]),
        lambda: pa.array([rng.choice([True, False, None]) for _ in texts]),
        lambda: pa.array([rng.randint(-(2**62), 2**62) for _ in texts], pa.timestamp("us")),
        lambda: pa.array([Decimal(rng.randint(-99, 99)) / 10 for _ in texts], pa.decimal128(9, 2)),
        lambda: pa.array([[text] * rng.randint(0, 3) for text in texts]),
        lambda: pa.array([{"url": text, "b": [text]} for text in texts]),
        lambda: pa.nulls(n_rows),
    ]
    return rng.choice(ways)()


def parquet(rng: Random, folder: Path) -> None:
    """Parquet with columns of any type, its footer or its pages mutated."""
    n_rows = rng.randint(0, 30)
    names = ["text", *rng.sample(["id", "source", "n", "share", "flag", "meta", "text"], 3)]
    columns = [pa.array([f"text {rng.randint(0, 99)}" for _ in range(n_rows)], pa.string())]
    columns += [_column(rng, n_rows) for _ in names[1:]]
    if rng.random() < 0.3:
        columns[0] = _column(rng, n_rows)
    path = folder / "a.parquet"
    pq.write_table(
        pa.Table.from_arrays(columns, names=names),
        path,
        compression=rng.choice(["none", "snappy", "gzip", "zstd", "lz4"]),
        row_group_size=rng.choice([5, 1_000]),
        use_dictionary=rng.random() < 0.5,
        data_page_version=rng.choice(["1.0", "2.0"]),
        store_schema=rng.random() < 0.5,
    )
    is_damaged = rng.random() < 0.8
    if is_damaged:
        whole = path.read_bytes()
        n_footer = int.from_bytes(whole[-8:-4], "little")
        cut = len(whole) - 8 - n_footer
        parts = [whole[:cut], whole[cut:-8], whole[-8:]]
        chosen = rng.choice([0, 1, 1, 2])
        mutated = _mutated(rng, parts[chosen], rng.randint(1, 3))
        parts[chosen] = mutated
        if chosen == 1:  # The footer is found, and holds something else.
            parts[2] = len(mutated).to_bytes(4, "little") + b"PAR1"
        path.write_bytes(b"".join(parts))
    found = _read(path)
    if found is not None and not is_damaged and found != n_rows:
        raise WrongError(f"{n_rows} rows became {found}")


def targets(rng: Random, folder: Path) -> None:
    """Target sets with templates and formats, and rows that may fit them or not."""
    rows: list[dict[str, Any]] = []
    for _ in range(rng.randint(1, 4)):
        row = _row(rng) | {"ctx": "a", "question": "q", "endings": ["x", "y"], "choices": ["x"]}
        row |= {"label": rng.choice([0, "1", -1, 7, None, "", True, 1.5, _value(rng)])}
        row |= {"answer": rng.choice([0, {"value": "v"}, _value(rng)]), "answerKey": "A"}
        row |= {"conversations": rng.choice([[{"from": "gpt", "value": "v"}], _value(rng)])}
        if rng.random() < 0.5:
            row["choices"] = {"text": ["x"], "label": ["A"]}
        rows.append(row)
    path = folder / "t.jsonl"
    content = "\n".join(json.dumps(row) for row in rows).encode()
    path.write_bytes(_mutated(rng, content, rng.choice([0, 0, 0, 1])))
    template = rng.choice(
        [
            None,
            "{text}",
            "{id} {meta.url}",
            "{choices[0]}",
            "{text:>9999999999}",
            "{m.keys}",
            "{",
            "",
        ]
    )
    if rng.random() < 0.3:
        template = "".join(rng.choice("{}ab.[]0!:text") for _ in range(rng.randint(0, 12)))
    format_ = rng.choice([None, *FORMATS])
    try:
        read_target_set(UPath(path), name="t", template=template, format=format_)
    except ValueError as error:
        if str(path) not in str(error) and "targets[t]" not in str(error):
            raise WrongError(f"the error names neither file nor setting: {error}") from error


_PROFILES = [
    (PROFILES_FOLDER / f"{name}.yaml").read_text()
    for name in sorted(path.stem for path in PROFILES_FOLDER.glob("*.yaml"))
]
_YAML_TOKENS = [
    "!!python/object:os.system {}", "&a [*a]", "{a: 1, a: 2}", "*x", "<<: 1", "[[[[", "- - -",
    "'", '"', "{profile}", "{seed}", "\t", ": :", "~", "1e999", "-1", "0x10", "1_000", ".nan",
    "2020-01-01", "\0", "[" * 1_500, "null", "true", "? a", "%TAG", "---\n", "...\n",
]  # fmt: skip


def settings(rng: Random, folder: Path) -> None:
    """Profiles whose lines are moved, doubled, dropped and filled with something else."""
    lines = rng.choice(_PROFILES).splitlines()
    for _ in range(rng.choice([0, 1, 1, 2, 4])):
        place = rng.randrange(len(lines))
        way = rng.random()
        if way < 0.25:
            lines.insert(rng.randrange(len(lines)), lines[place])
        elif way < 0.4:
            lines.pop(place)
        elif way < 0.7 and ":" in lines[place]:
            value = rng.choice([rng.choice(_YAML_TOKENS), json.dumps(_value(rng))])
            lines[place] = f"{lines[place].split(':')[0]}: {value}"
        elif way < 0.85:
            lines[place] = " " * rng.randint(1, 3) + lines[place]
        else:
            lines.insert(place, rng.choice(_YAML_TOKENS))
        lines = lines or [""]
    path = folder / "p.yaml"
    path.write_text("\n".join(lines))
    try:
        found = load_settings(path)
        for location in (found.lake, found.corpus.raw):
            found.resolve(location)
    except SettingsError as error:
        if str(path) not in str(error):
            raise WrongError(f"the error does not name the file: {error}") from error
        return
    keys = list(yaml.safe_load(path.read_text()) or {})
    if len(set(keys)) != len(keys):
        raise WrongError("a key is there twice")


KINDS = (json_lines, parquet, json_lines, parquet, targets, json_lines, parquet, targets, settings)


def run_case(number: int, folder: Path) -> str | None:
    """Run a case; what is wrong with its outcome, or None."""
    kind = KINDS[number % len(KINDS)]
    try:
        kind(Random(number), folder)
    except Exception:
        return f"case {number} ({kind.__name__}):\n{traceback.format_exc(limit=-4)}"
    return None


def main() -> int:
    """Run the cases; 1 if one is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0, help="number of the first case")
    parser.add_argument("--only", type=int, nargs="*", help="the numbers of single cases")
    options = parser.parse_args()
    numbers = options.only or range(options.seed, options.seed + options.cases)
    n_wrong, start = 0, time.monotonic()
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        for number in numbers:
            # Where the process ends in mid case, this is the last line that it wrote.
            sys.stderr.write(f"case {number}\n")
            wrong = run_case(number, Path(folder))
            if wrong is not None:
                n_wrong += 1
                sys.stdout.write(f"{wrong}\n")
    seconds = time.monotonic() - start
    sys.stdout.write(f"{len(numbers)} cases, {n_wrong} wrong, {seconds:.0f} s\n")
    return int(n_wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
