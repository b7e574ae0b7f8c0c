"""The recipes of the seven trained models of the report."""

import dataclasses
import functools
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from torch import nn

from latentwalk import data, provenance, replay, training
from latentwalk.models import classifier, gan, vae

_LOAD = data.load  # as it is in the source, for the weights' key
LATENT_SIZE = 16
"""d of the homework: entries of epsilon in Problem 2 and of z in Problem 3."""


@dataclass(frozen=True)
class Recipe:
    """What decides a trained model."""

    name: str
    """Of the model and of its weights file."""
    purpose: str
    """Where the report uses it, in a few words."""
    model: ModuleType
    """The module of `latentwalk.models` that defines it."""
    network: type[nn.Module]
    """The class of the network that is released."""
    config: Any
    """The model's configuration."""
    seed: int = 2017
    """Decides the initial weights, the order of the images and the noise."""
    likelihood_samples: int = 500
    """Importance samples an image with which a VAE's likelihood is measured."""
    replay_tolerance: float = 0.01
    """See `replay.disagreement`. From AVX-512 to AVX2 it was 0.004 at most; for the classifier,
    whose rectifiers and poolings switch, 0.15."""

    def key(self) -> provenance.RecipeKey:
        """Give the key of configuration, seed, data and code that its weights must carry."""
        fields = dataclasses.asdict(self.config) | {"seed": self.seed}
        functions = (self.network, self.model.init, self.model.train_step, _LOAD, run_training)
        return provenance.recipe_key(fields, functions, data.digest())


def recipes() -> dict[str, Recipe]:
    """Give the seven recipes by name, in the order in which the report needs them."""
    d = LATENT_SIZE
    problem_2 = gan.GanConfig(latent_size=d)
    labelled = dataclasses.replace(problem_2, num_classes=10)
    known = (
        Recipe("classifier", "the judge", classifier, classifier.Classifier,
               classifier.ClassifierConfig(), replay_tolerance=0.3),
        Recipe("gan", "Problem 2: d", gan, gan.Generator, problem_2),
        Recipe("vae", "Problem 3", vae, vae.Vae, vae.VaeConfig(latent_size=d)),
        Recipe("cgan", "Problem 4a and 4b: 10 d + 10", gan, gan.Generator,
               dataclasses.replace(labelled, latent_size=10 * d)),
        Recipe("gan_10d", "Problem 4a alone: 10 d", gan, gan.Generator,
               dataclasses.replace(problem_2, latent_size=10 * d)),
        Recipe("gan_onehot", "Problem 4b alone: d + 10", gan, gan.Generator, labelled),
        Recipe("vae_flow", "Problem 3a: learned prior", vae, vae.Vae,
               vae.VaeConfig(latent_size=24, flow_layers=8),
               likelihood_samples=5000),
    )  # fmt: skip
    return {recipe.name: recipe for recipe in known}


def get(name: str, seed: int | None = None) -> Recipe:
    """Give a recipe by name, with another seed if one is given.

    Raises:
        ValueError: there is none of that name.
    """
    known = recipes()
    if name not in known:
        raise ValueError(f"got model {name!r}, expected one of {', '.join(known)}")
    return known[name] if seed is None else dataclasses.replace(known[name], seed=seed)


def run_training(
    model: ModuleType, config: Any, digits: data.Digits, seed: int, **options: Any
) -> training.Trained:
    """Train a model as both a training and its replay do; the options are those of `fit`."""
    return training.fit(model, config, digits, seed=seed, **options)


def repeat_steps(recipe: Recipe) -> replay.Replay:
    """Repeat a few steps of a recipe's training with the code as it is now."""
    digits = data.load("train")
    fit = functools.partial(run_training, recipe.model, recipe.config, digits, recipe.seed)
    return replay.record(fit, recipe.config, len(digits))
