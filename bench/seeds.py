"""Train the report's models from several seeds, measure each, and keep that in assets/seeds.json.

Run by `make seeds`, in a build folder of its own (build/seeds); takes hours on two cores. Trainings
run side by side, each with one thread. What is kept already, of the recipes as they are now, is
not done again, so an interrupted run goes on where it stopped.
"""

import argparse
import dataclasses
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed

import torch

from latentwalk import data, paths, recipes, seeds, side_by_side
from latentwalk.evaluation.intervals import Estimate
from latentwalk.experiments.smoothness import compare_smoothness
from latentwalk.models.classifier import Classifier
from latentwalk.models.gan import Generator
from latentwalk.models.vae import Vae
from latentwalk.recipes import Released

SEEDS = (2017, 2018, 2019, 2020, 2021)
MODELS = ("gan", "cgan", "vae", "gan_10d", "gan_onehot")
PATHS = "gan+vae"  # 3e needs one of each
IMPORTANCE_SAMPLES = 500  # of each of 1,000 test images; the report's own VAE gets ten times more
PAIRS = 500


def train(name: str, seed: int, threads: int) -> seeds.Run:
    """Train and measure one model, unless its weights are there from a run before."""
    torch.set_num_threads(threads)
    released = trained(name, seed)
    about = released.metadata
    return seeds.Run(
        name, seed, seeds.digest(name, seed), about.device, about.seconds, about.metrics
    )


def trained(name: str, seed: int) -> Released:
    """Give a model of a seed; the report's own if that is its seed."""
    recipe = recipes.get(name)
    if seed == recipe.seed:
        return recipes.load(name, print)
    recipe = dataclasses.replace(recipe, seed=seed)
    path = paths.built_weights_dir() / f"{name}-{seed}.safetensors"
    if path.exists():
        try:
            return recipes.read(path, recipe)
        except recipes.checkpoints.WeightsError as error:
            print(f"{name}, seed {seed}: training it again: {error}")
    return recipes.train(recipe, out=path, importance_samples=IMPORTANCE_SAMPLES, say=print)


def walk(seed: int) -> seeds.Run:
    """Measure the paths of a GAN and a VAE that were trained from one seed."""
    made = {name: trained(name, seed) for name in PATHS.split("+")}
    generator, vae = made["gan"].network, made["vae"].network
    judge = recipes.load("classifier", print).network
    assert isinstance(generator, Generator)
    assert isinstance(vae, Vae)
    assert isinstance(judge, Classifier)
    found = compare_smoothness(
        generator, vae, judge, data.load("train", print), data.load("test", print),
        torch.Generator().manual_seed(seed), pairs=PAIRS,
    )  # fmt: skip
    metrics = {
        f"{row.name}: {measure}": estimate.value
        for row in found.rows
        for measure, estimate in row.measures.items()
    }
    device = made["gan"].metadata.device
    seconds = sum(released.metadata.seconds for released in made.values())
    return seeds.Run(PATHS, seed, seeds.digest(PATHS, seed), device, seconds, metrics)


def missing(models: list[str], wanted: list[int]) -> list[tuple[str, int]]:
    """Give what is not kept yet, seed by seed."""
    known = {(run.model, run.seed) for name in models for run in seeds.runs(name, print)}
    return [(name, seed) for seed in wanted for name in models if (name, seed) not in known]


def show(models: list[str]) -> None:
    """Print the means over the seeds."""
    for name in models:
        found = seeds.runs(name)
        print(f"{name}: seeds {', '.join(str(run.seed) for run in found) or 'none'}")
        for metric in found[0].metrics if found else ():
            estimate = seeds.over_seeds(found, metric)
            if isinstance(estimate, Estimate):
                half = estimate.high - estimate.value
                print(f"  {metric:<48} {estimate.value:10.4f} +- {half:.4f}")


def main() -> int:
    """Train what is missing, two at a time; then measure the paths."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    options = parser.parse_args()
    if paths.build_dir() == paths.project_root() / "build":
        print("seeds: set LATENTWALK_BUILD to a folder of its own, as `make seeds` does")
        return 2
    data.load("train", print)
    recipes.load("classifier", print)  # before the processes that need it
    threads = max(1, torch.get_num_threads() // side_by_side.SIDE_BY_SIDE)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(side_by_side.SIDE_BY_SIDE, mp_context=spawn) as pool:
        waiting = [
            pool.submit(train, name, seed, threads)
            for name, seed in missing(options.models, options.seeds)
        ]
        for done in as_completed(waiting):
            seeds.keep(done.result())
            print(f"kept {done.result().model}, seed {done.result().seed}")
    trained_here = {(run.model, run.seed) for name in PATHS.split("+") for run in seeds.runs(name)}
    for _, seed in missing([PATHS], options.seeds):
        if all((name, seed) in trained_here for name in PATHS.split("+")):
            seeds.keep(walk(seed))
    show([*options.models, PATHS])
    return 0


if __name__ == "__main__":
    sys.exit(main())
