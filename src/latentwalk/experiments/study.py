"""Starting point of the report's cells: the trained models, the digits and one seed.

Each method answers one item. It runs the item's experiment, or reads the saved result if weights,
arguments and code are unchanged (see `problemset.cache`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from latentwalk.data import mnist
from latentwalk.data.mnist import Digits
from latentwalk.evaluation.readings import measuring_rng
from latentwalk.experiments import (
    fingerprints,  # noqa: F401  (registers what the cache must know)
    problem2,
    problem3,
    problem4,
    quality,
    smoothness,
)
from latentwalk.model_zoo import recipes, trainer
from latentwalk.model_zoo.weights_files import Released
from problemset import cache

GENERATORS = {
    "d (Problem 2)": "gan",
    "10 d (4a alone)": "gan_10d",
    "d + 10 (4b alone)": "gan_onehot",
    "10 d + 10 (4a and 4b)": "cgan",
}
"""Interpretations of the problem statement in 4a and 4b, and the model for each."""


@dataclass(frozen=True)
class Study:
    """The trained models, the digits and the seed of the experiments."""

    released: dict[str, Released]
    """All models of `recipes.recipes()`, by name."""
    train: Digits
    test: Digits
    seed: int
    """Seed of all random draws in the experiments."""

    def ten_samples(self) -> problem2.TenSamples:
        """2b: ten images from the GAN, with their inputs."""
        return self._cached("2b", problem2.ten_samples, ["gan"], rng=self.rng(2))

    def pick_pair(
        self, samples: problem2.TenSamples, pair: tuple[int, int] | None = None
    ) -> problem2.Pair:
        """2c: the two images at the ends of the path, picked by the rule or by the reader."""
        if pair is not None:  # the reader may have written anything
            pair = problem2.checked_pair(samples, pair)
        return _cached(
            "2c", problem2.pick_pair, self._key(["gan", "classifier"]), samples=samples, pair=pair
        )

    def generator_path(self, pair: problem2.Pair) -> problem2.GeneratorPath:
        """2d and 2e: ten generated steps between the pair's inputs, and the cross-fade."""
        return self._cached("2e", problem2.generator_path, ["gan"], pair=pair)

    def vae_path(self, digits: Sequence[int]) -> problem3.VaePath:
        """3b and 3c: two test images of these digits, their codes, and the path between them."""
        start, end = (int(digit) for digit in digits)
        return self._cached("3c", problem3.vae_path, ["vae"], test=self.test, digits=(start, end))

    def quality(self) -> quality.Quality:
        """3d: quality of the images of the GAN and of both VAEs."""
        return self._cached(
            "3d",
            quality.compare_quality,
            ["gan", "vae", "vae_flow"],
            train=self.train,
            test=self.test,
            rng=self.rng(3),
        )

    def smoothness(self) -> smoothness.Smoothness:
        """3e: smoothness of many paths of both models."""
        return self._cached(
            "3e",
            smoothness.compare_smoothness,
            ["gan", "vae"],
            train=self.train,
            test=self.test,
            rng=self.rng(4),
        )

    def input_readings(self) -> problem4.InputReadings:
        """4a and 4b: all interpretations of the problem statement, for comparison."""
        generators = {title: self.released[name].network for title, name in GENERATORS.items()}
        return _cached(
            "4b",
            problem4.input_readings,
            self._key([*GENERATORS.values(), "classifier"]),
            generators=generators,
            classifier=self.released["classifier"].network,
            train=self.train,
            test=self.test,
            rng=self.rng(5),
        )

    def digit_grid(self) -> problem4.DigitGrid:
        """4d: ten images of each digit."""
        return self._cached("4d", problem4.digit_grid, ["cgan"], rng=self.rng(6))

    def agreement(self) -> problem4.Agreement:
        """4d: how often the classifier reads the requested digit."""
        rng = measuring_rng()
        return self._cached("4d-agreement", problem4.agreement_by_digit, ["cgan"], rng=rng)

    def rng(self, purpose: int) -> torch.Generator:
        """Separate generator for each experiment, so that running one does not change another."""
        return torch.Generator().manual_seed(1000 * self.seed + purpose)

    def _key(self, names: Sequence[str]) -> str:
        return " ".join(f"{n}:{self.released[n].metadata.network_digest[:16]}" for n in names)

    def _cached(
        self, item: str, function: Callable[..., Any], names: Sequence[str], **arguments: Any
    ) -> Any:
        """Run an experiment on the classifier and the named networks, or read its saved result."""
        # the argument under which the experiments take each model
        parameter = {"gan": "generator", "cgan": "generator", "vae": "vae", "vae_flow": "learned"}
        networks = {parameter[name]: self.released[name].network for name in names}
        networks["classifier"] = self.released["classifier"].network
        key = self._key([*names, "classifier"])
        return _cached(item, function, key, **networks, **arguments)


def _cached(item: str, function: Callable[..., Any], weights: str, **arguments: Any) -> Any:
    """Run an experiment, or read its saved result."""
    origin, versions = {"weights": weights}, {"torch": torch.__version__}
    return cache.cached_call(item, function, origin, versions, **arguments)


def open_study(seed: int) -> Study:
    """Load the digits and the seven models; models without valid weights are trained first.

    Args:
        seed: seed of all random draws in the experiments.
    """
    released = {name: trainer.load(name) for name in recipes.recipes()}
    return Study(released, mnist.load("train"), mnist.load("test"), seed)
