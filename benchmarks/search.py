"""Which search finds the best theta, in simulated worlds where the true loss is known.

    python -m benchmarks.search strategies --seeds 4 --results strategies.jsonl
    python -m benchmarks.search rounds --seeds 4 --results rounds.jsonl

Every contest gives all contestants the same number of proxies. The regret is the true loss of what
a contestant chose less that of the best theta that a search of the true losses finds, in standard
deviations of the true losses of random thetas. Noise is in the same unit. Results are appended to a
file as they come, cells that are in it are not repeated, and the tables are of all that it holds.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from benchmarks.measured_swarms import interval
from benchmarks.worlds import KINDS, World
from quadmix_assets.sampling import Parameters
from quadmix_assets.search.acquisitions.base import Known
from quadmix_assets.search.acquisitions.registry import ACQUISITIONS
from quadmix_assets.search.refine import propose
from quadmix_assets.search.regressors.base import Regressor
from quadmix_assets.search.regressors.fitting import fit_regressor
from quadmix_assets.search.strategies.base import Predict, Prediction
from quadmix_assets.search.strategies.cma_es import CmaEsSettings, cma_es
from quadmix_assets.search.strategies.random_top_mean import random_top_mean

NOISES = (0.2, 0.5, 1.0)
# Candidates and further measurements of each, in the heats of the verification.
HEATS = ((16, 1), (8, 1), (4, 2), (2, 4))
N_VERIFIED = sum(n * k for n, k in HEATS)
_TOP = 10


@dataclass(frozen=True, eq=False)
class Swarm:
    """Thetas that were trained and their measured losses.

    Attributes:
        world: in which.
        noise: standard deviation of a measurement, in the losses' unit.
        rng: of the noise.
        thetas: n of them.
        measured: (n,).
    """

    world: World
    noise: float
    rng: np.random.Generator
    thetas: Parameters
    measured: np.ndarray

    @classmethod
    def train(cls, world: World, noise: float, seed: int, n: int) -> "Swarm":
        """n random thetas; noise is in standard deviations of the true losses."""
        rng = np.random.default_rng([seed, 7])
        empty = world.space.draw(n, seed=seed + 1_000)
        first = cls(world, noise * world.spread(), rng, empty, np.empty(0))
        return replace(first, measured=first.measure(empty))

    def measure(self, thetas: Parameters) -> np.ndarray:
        """A measurement (n,) of every theta, with fresh noise."""
        true = self.world.true_losses(thetas)
        return np.asarray(true + self.noise * self.rng.normal(size=len(true)))

    def grown(self, thetas: Parameters) -> "Swarm":
        """With further thetas, trained now."""
        return replace(
            self,
            thetas=Parameters.concatenate([self.thetas, thetas]),
            measured=np.append(self.measured, self.measure(thetas)),
        )

    @property
    def inputs(self) -> np.ndarray:
        """(n, F) regressor inputs."""
        return self.world.inputs_of(self.thetas)

    def fit(self, kind: str) -> Regressor:
        """A regressor of that kind on all measured losses."""
        return fit_regressor(kind, self.inputs, self.measured, seed=0)


def predictor(world: World, regressor: Regressor) -> Predict:
    """What a search sees of a world."""

    def predict(thetas: Parameters) -> Prediction:
        inputs = world.inputs_of(thetas)
        return Prediction(regressor.predict(inputs), regressor.standard_deviation(inputs))

    return predict


def best_of(thetas: Parameters, values: np.ndarray) -> Parameters:
    """The theta with the least value."""
    return thetas[[int(np.argmin(values))]]


def best_possible(world: World, n_points: int) -> float:
    """The least true loss that a search of the true losses finds."""

    def truth(thetas: Parameters) -> Prediction:
        losses = world.true_losses(thetas)
        return Prediction(losses, np.zeros(len(losses)))

    return cma_es(
        truth, world.space, n_points=4 * n_points, top=_TOP, seed=3, caution=0.0
    ).predicted


def verified(swarm: Swarm, candidates: Parameters) -> Parameters:
    """What successive halving leaves of candidates, by the mean of all their measurements."""
    left = np.arange(len(candidates))
    sums, counts = np.zeros(len(candidates)), np.zeros(len(candidates))
    for n, seeds in HEATS:
        with np.errstate(invalid="ignore", divide="ignore"):
            means = sums / counts
        left = left[np.argsort(means[left], kind="stable")[:n]]
        for _ in range(seeds):
            sums[left] += swarm.measure(candidates[left])
            counts[left] += 1
    return candidates[[left[int(np.argmin(sums[left] / counts[left]))]]]


def strategies(
    world: World, noise: float, seed: int, options: argparse.Namespace
) -> Iterator[tuple[str, Parameters]]:
    """What every strategy chooses from the same proxies, and what verification makes of them."""
    swarm = Swarm.train(world, noise, seed, options.proxies)
    space = world.space
    by_measured = np.argsort(swarm.measured, kind="stable")
    found: dict[str, Parameters] = {"random theta": space.draw(1, seed=99)}
    found["best measured"] = swarm.thetas[by_measured[:1]]
    for k in (5, 10):
        found[f"mean of the best {k} measured"] = space.mean(swarm.thetas[by_measured[:k]])
    smoothed: list[Parameters] = []
    for kind in options.kinds:
        regressor = swarm.fit(kind)
        predict = predictor(world, regressor)
        order = np.argsort(predict(swarm.thetas).mean, kind="stable")
        found[f"{kind}: best trained by prediction"] = swarm.thetas[order[:1]]
        smoothed.append(swarm.thetas[order[:4]])
        result = random_top_mean(predict, space, n_points=options.points, top=_TOP, seed=5)
        found[f"{kind}: random_top_mean"] = result.theta
        is_last = kind == options.kinds[-1]
        for caution in (0.0, 1.0, 2.0) if is_last else (1.0,):
            result = cma_es(
                predict, space, n_points=options.points, top=_TOP, seed=5, caution=caution
            )
            found[f"{kind}: cma_es, caution {caution:.0f}"] = result.theta
        for trust in (1.0, 1.2) if is_last else ():
            settings = CmaEsSettings(caution=1.0, trust=trust)
            result = settings.search(
                predict, space, n_points=options.points, top=_TOP, seed=5, trained=swarm.thetas
            )
            found[f"{kind}: cma_es, caution 1, trust {trust:g}"] = result.theta
    yield from found.items()
    candidates = Parameters.concatenate([*list(found.values())[1:], *smoothed])
    distinct = np.sort(np.unique(space.to_cube(candidates), axis=0, return_index=True)[1])
    candidates = candidates[distinct[: HEATS[0][0]]]
    yield f"verification with {N_VERIFIED} more", verified(swarm, candidates)
    grown = swarm.grown(space.draw(N_VERIFIED, seed=seed + 2_000))
    yield f"best measured with {N_VERIFIED} more", best_of(grown.thetas, grown.measured)
    kind = options.kinds[-1]
    predict = predictor(world, grown.fit(kind))
    chosen = best_of(grown.thetas, predict(grown.thetas).mean)
    yield f"{kind}: best trained by prediction, with {N_VERIFIED} more", chosen
    result = cma_es(predict, space, n_points=options.points, top=_TOP, seed=5, caution=1.0)
    yield f"{kind}: cma_es, caution 1, with {N_VERIFIED} more", result.theta


def rounds(
    world: World, noise: float, seed: int, options: argparse.Namespace
) -> Iterator[tuple[str, Parameters]]:
    """What is chosen after one round of N proxies, and after rounds that sum to N."""
    n, kind = options.proxies, options.kinds[-1]
    every = {"halves": (n // 2, n // 2), "half and two quarters": (n // 2, n // 4, n // 4)}
    plans = {name: every[name] for name in options.plans}
    yield from endings("one round", Swarm.train(world, noise, seed, n), kind, options)
    for plan, sizes in plans.items():
        for acquisition in options.acquisitions:
            for explore in options.explore:
                swarm = Swarm.train(world, noise, seed, sizes[0])
                for number, size in enumerate(sizes[1:], start=1):
                    thetas = further(swarm, acquisition, explore, size, number, kind, options)
                    swarm = swarm.grown(thetas)
                name = f"{plan}, {acquisition}, explore {explore:g}"
                yield from endings(name, swarm, kind, options)


def further(
    swarm: Swarm,
    acquisition: str,
    explore: float,
    n: int,
    number: int,
    kind: str,
    options: argparse.Namespace,
) -> Parameters:
    """The thetas of a further round."""
    world = swarm.world
    predict = predictor(world, swarm.fit(kind))
    optimum = cma_es(
        predict, world.space, n_points=options.points, top=_TOP, seed=number, caution=1.0
    ).theta
    known = Known(predict, optimum, swarm.thetas, swarm.inputs, swarm.measured, world.inputs_of)
    settings = ACQUISITIONS.settings_class(acquisition)(kind=acquisition)
    return propose(
        [known],
        world.space,
        settings,  # type: ignore[arg-type]
        n=n,
        explore=explore,
        seed=number,
        start=options.points,
    )


def endings(
    name: str, swarm: Swarm, kind: str, options: argparse.Namespace
) -> Iterator[tuple[str, Parameters]]:
    """theta* of a swarm, predicted best of all and of those that were trained."""
    predict = predictor(swarm.world, swarm.fit(kind))
    result = cma_es(
        predict, swarm.world.space, n_points=options.points, top=_TOP, seed=5, caution=1.0
    )
    yield f"{name} -> cma_es", result.theta
    yield f"{name} -> trained", best_of(swarm.thetas, predict(swarm.thetas).mean)


Contest = Callable[[World, float, int, argparse.Namespace], Iterator[tuple[str, Parameters]]]
CONTESTS: dict[str, Contest] = {"strategies": strategies, "rounds": rounds}


def run(contest: str, options: argparse.Namespace) -> None:
    """Append the regrets of all cells that are not in the file of results yet."""
    path: Path = options.results
    there = pl.read_ndjson(path) if path.exists() else None
    done = set() if there is None else set(there.select("world", "noise", "seed").iter_rows())
    for seed in range(options.seeds):
        for kind in options.worlds:
            world = World.make(kind, seed)
            if all((kind, noise, seed) in done for noise in options.noises):
                continue
            least, spread = best_possible(world, options.points), world.spread()
            for noise in options.noises:
                if (kind, noise, seed) in done:
                    continue
                rows = [
                    {
                        "world": kind,
                        "noise": noise,
                        "seed": seed,
                        "name": name,
                        "regret": (float(world.true_losses(theta)[0]) - least) / spread,
                    }
                    for name, theta in CONTESTS[contest](world, noise, seed, options)
                ]
                with path.open("a") as file:
                    file.writelines(json.dumps(row) + "\n" for row in rows)


def lines_of(results: pl.DataFrame) -> list[str]:
    """A Markdown table: mean regret of all cells and means by noise and world.

    The second column is how much the regret is above that of the best contestant in the same cells,
    with its 90 % interval over bootstrap samples of the cells.
    """
    noises = results["noise"].unique().sort().to_list()
    worlds = results["world"].unique(maintain_order=True).to_list()
    columns = [*(f"noise {noise:g}" for noise in noises), *worlds]
    lines = [
        f"{results.select('world', 'noise', 'seed').n_unique()} cells\n",
        f"| | regret | above the best | {' | '.join(columns)} |",
        f"| --- | --- | --- {'| --- ' * len(columns)}|",
    ]
    by_cell = results.pivot("name", index=["world", "noise", "seed"], values="regret")
    ordered = results.group_by("name").agg(pl.col("regret").mean()).sort("regret")
    for name in ordered["name"]:
        of_name = results.filter(pl.col("name") == name)
        parts = [of_name.filter(pl.col("noise") == noise) for noise in noises]
        parts += [of_name.filter(pl.col("world") == world) for world in worlds]
        means = [float(part["regret"].to_numpy().mean()) for part in parts]
        cells = " | ".join(f"{mean:.2f}" for mean in means)
        above = (by_cell[name] - by_cell[ordered["name"][0]]).to_numpy()
        regret = float(by_cell[name].to_numpy().mean())
        lines.append(f"| {name} | {regret:.2f} | {interval(above)} | {cells} |")
    return lines


def main() -> None:
    """Run the cells that are missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contest", choices=list(CONTESTS))
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--proxies", type=int, default=128)
    parser.add_argument("--points", type=int, default=2_000)
    parser.add_argument("--worlds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--noises", type=float, nargs="+", default=list(NOISES))
    parser.add_argument("--kinds", nargs="+", default=["lightgbm", "auto"])
    parser.add_argument("--acquisitions", nargs="+", default=list(ACQUISITIONS.kinds))
    parser.add_argument("--plans", nargs="+", default=["halves", "half and two quarters"])
    parser.add_argument("--explore", type=float, nargs="+", default=[0.0, 0.3])
    options = parser.parse_args()
    run(options.contest, options)
    print("\n".join(lines_of(pl.read_ndjson(options.results))))


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
