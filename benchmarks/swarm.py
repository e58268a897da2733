"""Training speed of proxies: several at once in one batched model against one after the other.

    python -m benchmarks.swarm --shape tiny --vocabulary 2048

One process and one thread, the same number of steps for every size of swarm, in turn and best of
several rounds; prints tokens per second in aggregate and the ratio to one proxy at a time.
"""

import argparse
import time

import torch

from quadmix_assets.proxies.model import SwarmLM, precision_dtype
from quadmix_assets.proxies.shapes import SHAPES, shape_named


def tokens_per_second(
    n_proxies: int, shape_name: str, vocabulary: int, precision: str, batch_windows: int
) -> float:
    """Tokens per second of a swarm over some steps of forward, backward and AdamW."""
    shape = shape_named(shape_name)
    model = SwarmLM(shape, vocabulary, list(range(n_proxies)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    windows = torch.randint(0, vocabulary, (n_proxies, batch_windows, shape.context + 1))
    dtype = precision_dtype(precision)

    def step() -> None:
        model.mean_loss(windows, dtype).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    step()
    start, n_steps = time.perf_counter(), 0
    while time.perf_counter() - start < 2.0:
        step()
        n_steps += 1
    return n_steps * windows[:, :, 1:].numel() / (time.perf_counter() - start)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="tiny")
    parser.add_argument("--vocabulary", type=int, default=2_048)
    parser.add_argument("--batch-windows", type=int, default=16)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for precision in ("float32", "bfloat16"):
        best = dict.fromkeys(options.sizes, 0.0)
        for _ in range(options.rounds):
            for size in options.sizes:
                rate = tokens_per_second(
                    size, options.shape, options.vocabulary, precision, options.batch_windows
                )
                best[size] = max(best[size], rate)
        for size, rate in best.items():
            ratio = rate / best[options.sizes[0]]
            print(f"{precision:9} {size:3} at once: {rate:10,.0f} tokens/s, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
