"""Recipes of the seven trained models of the report."""

import dataclasses
import functools
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from torch import nn

from latentwalk.data import mnist
from latentwalk.models import classifier, gan, vae
from latentwalk.training import loop, provenance, replay

_LOAD = mnist.load  # the original function even if a test replaces it, for the weights' key
LATENT_SIZE = 16
"""d of the homework: the size of epsilon in Problem 2 and of z in Problem 3."""


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a trained model."""

    name: str
    """Name of the model and of its weights file."""
    purpose: str
    """Short description of where the report uses the model."""
    model: ModuleType
    """Module of `latentwalk.models` that defines the model."""
    network: type[nn.Module]
    """Class of the released network."""
    config: Any
    """Configuration of the model."""
    seed: int = 2017
    """Seed of the initial weights, the order of the images and the noise."""
    likelihood_samples: int = 500
    """Number of importance samples per image for measuring a VAE's likelihood."""
    replay_tolerance: float = 0.01
    """Tolerance of `replay.disagreement`. Between AVX-512 and AVX2 the difference was at most
    0.004, but 0.15 for the classifier, whose ReLUs and max-poolings can switch."""

    def key(self) -> provenance.RecipeKey:
        """Compute the key of configuration, seed, data and code that valid weights must carry."""
        fields = dataclasses.asdict(self.config) | {"seed": self.seed}
        functions = (self.network, self.model.init, self.model.train_step, _LOAD, run_training)
        return provenance.recipe_key(fields, functions, mnist.digest())


def recipes() -> dict[str, Recipe]:
    """Return the seven recipes by name, in the order in which the report needs them."""
    d = LATENT_SIZE
    problem_2 = gan.GanConfig(latent_size=d)
    labelled = dataclasses.replace(problem_2, num_classes=10)
    known = (
        Recipe(
            "classifier",
            "the judge",
            classifier,
            classifier.Classifier,
            classifier.ClassifierConfig(),
            replay_tolerance=0.3,
        ),
        Recipe("gan", "Problem 2: d", gan, gan.Generator, problem_2),
        Recipe("vae", "Problem 3", vae, vae.Vae, vae.VaeConfig(latent_size=d)),
        Recipe(
            "cgan",
            "Problem 4a and 4b: 10 d + 10",
            gan,
            gan.Generator,
            dataclasses.replace(labelled, latent_size=10 * d),
        ),
        Recipe(
            "gan_10d",
            "Problem 4a alone: 10 d",
            gan,
            gan.Generator,
            dataclasses.replace(problem_2, latent_size=10 * d),
        ),
        Recipe("gan_onehot", "Problem 4b alone: d + 10", gan, gan.Generator, labelled),
        Recipe(
            "vae_flow",
            "Problem 3a: learned prior",
            vae,
            vae.Vae,
            vae.VaeConfig(latent_size=24, flow_layers=8),
            likelihood_samples=5000,
        ),
    )
    return {recipe.name: recipe for recipe in known}


def get(name: str, seed: int | None = None) -> Recipe:
    """Return a recipe by name, with another seed if one is given.

    Raises:
        ValueError: there is no recipe of that name.
    """
    known = recipes()
    if name not in known:
        raise ValueError(f"got model {name!r}, expected one of {', '.join(known)}")
    return known[name] if seed is None else dataclasses.replace(known[name], seed=seed)


def run_training(
    model: ModuleType, config: Any, digits: mnist.Digits, seed: int, **options: Any
) -> loop.Trained:
    """Call `training.fit`; both training runs and replays go through this function."""
    return loop.fit(model, config, digits, seed=seed, **options)


def repeat_steps(recipe: Recipe) -> replay.Replay:
    """Replay a few steps of a recipe's training with the current code."""
    digits = mnist.load("train")
    fit = functools.partial(run_training, recipe.model, recipe.config, digits, recipe.seed)
    return replay.record(fit, recipe.config, len(digits))
