"""Keeps the weights of trained stacks, and evaluates them on other target sets later.

A kept stack is two files in a folder: `<key>.pt` with the weights of its proxies, and `<key>.json`
with the record of their training and a version of all that it depends on. The second is written
last, so that a stack without it does not count.
"""

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from upath import UPath

from quadmix_assets.device import torch_threads
from quadmix_assets.settings import TrainingSettings
from quadmix_assets.store import carded_file, delete_carded, read_carded, read_reusable
from quadmix_assets.training.architectures import Architecture
from quadmix_assets.training.stacks import KeepWeights, ProxyResult
from quadmix_assets.training.targets import TargetWindows

if TYPE_CHECKING:
    import torch

    from quadmix_assets.training.loop import TrainedStack
    from quadmix_assets.training.model import StackedLM

_BYTES_PER_WEIGHT = 4


@dataclass(frozen=True)
class KeptStack:
    """A stack whose weights were kept.

    Attributes:
        weights: path of its weights.
        recipe: that it was trained by, with the precision that was used.
        results: of its proxies, with the losses of then.
    """

    weights: UPath
    recipe: TrainingSettings
    results: tuple[ProxyResult, ...]


def bytes_of_weights(architecture: Architecture, vocab_size: int, n_proxies: int) -> int:
    """Bytes that the weights of so many proxies take."""
    return _BYTES_PER_WEIGHT * architecture.n_parameters(vocab_size) * n_proxies


def keep_stack(
    keep: KeepWeights, key: str, trained: "TrainedStack", results: list[ProxyResult]
) -> None:
    """Write the weights of a trained stack, and the record of its proxies."""
    import torch

    parameters = {name: value.cpu() for name, value in trained.model.state_dict().items()}
    with carded_file(keep.folder / f"{key}.pt") as file:
        torch.save(parameters, file)
    record = {
        "version": keep.version,
        "recipe": trained.recipe.model_dump(mode="json"),
        "results": [result.to_json() for result in results],
    }
    with carded_file(keep.folder / f"{key}.json") as file:
        file.write(json.dumps(record).encode())


def kept_stacks(keep: KeepWeights) -> list[KeptStack]:
    """The stacks of a folder that were trained by this version, by the names of their files.

    A proxy that is in two of them, because memory ran out between, is taken from the first.
    """
    found: list[KeptStack] = []
    seen: set[int] = set()
    for path in _records(keep.folder):
        record = _read(path)
        if record is None or record["version"] != keep.version:
            continue
        results = tuple(ProxyResult.from_json(each) for each in record["results"])
        ids = {result.sample_id for result in results}
        if not ids <= seen:
            seen |= ids
            recipe = TrainingSettings.model_validate(record["recipe"])
            found.append(KeptStack(path.with_suffix(".pt"), recipe, results))
    return found


def drop_other_stacks(keep: KeepWeights) -> None:
    """Delete the stacks of a folder that were trained by another version."""
    for path in _records(keep.folder):
        record = _read(path)
        if record is None or record["version"] != keep.version:
            delete_carded(path)
            delete_carded(path.with_suffix(".pt"))


def kept_model(stack: KeptStack, architecture: Architecture, vocab_size: int) -> "StackedLM | None":
    """The proxies of a kept stack, on the CPU; None if the file of their weights is damaged."""
    import torch

    from quadmix_assets.training.model import StackedLM

    content = read_reusable(
        lambda: read_carded(stack.weights), "the proxies have to be trained again"
    )
    if content is None:
        return None
    parameters = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    model = StackedLM(architecture, vocab_size, [0] * len(stack.results))
    model.load_state_dict(parameters)
    return model


def evaluate_kept(
    stack: KeptStack,
    architecture: Architecture,
    vocab_size: int,
    targets: Mapping[str, TargetWindows],
    *,
    device: "torch.device",
    n_threads: int,
) -> list[ProxyResult] | None:
    """The results of a kept stack with its losses on other target sets; None if it is damaged.

    The losses are to the last bit those that an evaluation after the training would have given, on
    the same kind of device.
    """
    from quadmix_assets.training.evaluation import evaluate_stack
    from quadmix_assets.training.loop import TrainedStack

    model = kept_model(stack, architecture, vocab_size)
    if model is None:
        return None
    trained = TrainedStack(
        model.to(device), stack.recipe, tuple(result.training for result in stack.results), 0.0
    )
    with torch_threads(n_threads):
        losses = evaluate_stack(trained, targets)
    return [
        result.with_losses({target: loss.of_proxy(k) for target, loss in losses.items()})
        for k, result in enumerate(stack.results)
    ]


def _records(folder: UPath) -> Iterator[UPath]:
    if folder.exists():
        yield from sorted((path for path in folder.iterdir() if path.suffix == ".json"), key=str)


def _read(path: UPath) -> dict[str, Any] | None:
    content = read_reusable(lambda: read_carded(path), "the proxies have to be trained again")
    return None if content is None else json.loads(content)
