"""Train the report's models from several seeds, measure each, and keep that in assets/seeds.json.

Run by `make seeds`, in a build folder of its own (build/seeds); takes hours on two cores. What is
saved already, for the recipes and the classifier as they are now, is not done again, so an
interrupted run resumes where it stopped.
"""

import argparse
import dataclasses
import logging
import sys
from collections.abc import Mapping, Sequence

import teaching
import torch

from latentwalk import paths
from latentwalk.data import mnist
from latentwalk.experiments.smoothness import GAN_PATHS, compare_smoothness
from latentwalk.model_zoo import parallel, recipes, seeds, trainer, weights_files
from latentwalk.model_zoo.weights_files import Released
from latentwalk.models.classifier import Classifier
from latentwalk.models.gan import Generator
from latentwalk.models.vae import Vae
from problemset import workspace

SEEDS = (2017, 2018, 2019, 2020, 2021)
MODELS = ("classifier", "gan", "cgan", "vae", "gan_10d", "gan_onehot", "vae_flow")
TEACHERS = ("gan", "cgan", "vae")  # what a classifier learns from their samples is measured
PATHS = "gan+vae"  # 3e needs one of each
NEWEST = dict.fromkeys(("classifier", *TEACHERS), "taught_accuracy_percent") | {
    PATHS: f"{GAN_PATHS}: margin"
}  # what a run lacks that was measured before it was added
LIKELIHOOD_SAMPLES = 500  # the report's own measurement of `vae_flow` has more


def trained(name: str, seed: int) -> Released:
    """Give a model of a seed: the report's own if it is its seed, otherwise trained here."""
    recipe = recipes.get(name, seed)
    if recipe == recipes.get(name):
        return trainer.load(name)
    return weights_files.read(trainer.fit(recipe), recipe)


def measured(name: str, seed: int, released: Mapping[str, Released]) -> seeds.Run:
    """Measure a model of a seed, each in the same way."""
    model = trained(name, seed)
    recipe = dataclasses.replace(model.recipe, likelihood_samples=LIKELIHOOD_SAMPLES)
    metrics = trainer.measure(recipe, model.network)
    if name in TEACHERS:
        metrics["taught_accuracy_percent"] = taught(model, released)
    if name == "classifier":  # taught by the digits
        metrics["taught_accuracy_percent"] = metrics["test_accuracy_percent"]
    digest, about = seeds.digest(name, seed, released), model.metadata
    return seeds.Run(name, seed, digest, about.device, about.seconds, metrics)


def taught(model: Released, released: Mapping[str, Released]) -> float:
    """Measure what a classifier learns from a model's samples; both of one seed."""
    seed, classifier = model.recipe.seed, released["classifier"]
    assert isinstance(classifier.network, Classifier)
    rng = torch.Generator().manual_seed(seed)
    lessons = teaching.drawn_digits(model, classifier.network, rng)
    return teaching.classification_accuracy_score(
        lessons, mnist.load("test"), classifier.recipe.config, seed
    )


def walked(seed: int, released: Mapping[str, Released]) -> seeds.Run:
    """Measure the paths of a GAN and a VAE that were trained from one seed."""
    gan, vae = (trained(name, seed) for name in PATHS.split("+"))
    classifier = released["classifier"].network
    assert isinstance(gan.network, Generator)
    assert isinstance(vae.network, Vae)
    assert isinstance(classifier, Classifier)
    found = compare_smoothness(
        gan.network,
        vae.network,
        classifier,
        mnist.load("train"),
        mnist.load("test"),
        torch.Generator().manual_seed(seed),
        pairs=seeds.PAIRS,
    )
    metrics = {
        f"{row.name}: {measure}": estimate.value
        for row in found.rows
        for measure, estimate in (row.measures | {"margin": found.margins[row.name]}).items()
    }
    seconds = gan.metadata.seconds + vae.metadata.seconds
    digest = seeds.digest(PATHS, seed, released)
    return seeds.Run(PATHS, seed, digest, gan.metadata.device, seconds, metrics)


def show(model: str, released: Mapping[str, Released]) -> None:
    """Print the means over the seeds."""
    found = seeds.runs(model, released)
    print(f"{model}: seeds {', '.join(str(run.seed) for run in found)}")
    for metric in found[0].metrics:
        if estimate := seeds.over_seeds(found, metric):
            half = estimate.high - estimate.value
            print(f"  {metric:<48} {estimate.value:10.4f} +- {half:.4f}")


def is_kept(model: str, seed: int, released: Mapping[str, Released]) -> bool:
    """Whether a run is there with all that would be measured of it now."""
    found = seeds.having(seeds.runs(model, released), NEWEST.get(model, "frechet_ratio"))
    return seed in {run.seed for run in found}


def main() -> int:
    """Check the surroundings, and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    options = parser.parse_args()
    if workspace.build_dir() == workspace.project_root() / "build":
        print("seeds: set LATENTWALK_BUILD to a folder of its own, as `make seeds` does")
        return 2
    if given := paths.given_weights_dir():
        print(f"seeds: LATENTWALK_WEIGHTS is {given}, expected none: the seeds are of the recipes")
        return 2
    with workspace.build_lock(print):
        run(options.models, options.seeds)
    return 0


def run(models: Sequence[str], wanted_seeds: Sequence[int]) -> None:
    """Seed by seed: train what is missing, two at a time, measure it, and then the paths."""
    released = {name: trainer.load(name) for name in (*models, "classifier")}
    wanted = [*models, PATHS] if set(PATHS.split("+")) <= set(models) else list(models)
    for seed in wanted_seeds:
        print(f"seed {seed}")
        missing = [model for model in wanted if not is_kept(model, seed, released)]
        trained_here = [
            name
            for name in missing
            if name != PATHS and recipes.get(name, seed) != recipes.get(name)
        ]
        parallel.fit(trained_here, seed)
        for model in missing:
            done = walked(seed, released) if model == PATHS else measured(model, seed, released)
            seeds.keep(done)
    for model in wanted:
        show(model, released)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("seeds: interrupted; run the same command again to resume")
