"""Recipes of the seven trained models of the report."""

import dataclasses
import functools
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from torch import nn

from latentwalk.data import mnist
from latentwalk.model_zoo import catalogue
from latentwalk.models import classifier, gan, vae
from latentwalk.training import loop, provenance, replay

_LOAD = mnist.load  # the original function even if a test replaces it, for the weights' key
_MODELS: dict[str, tuple[ModuleType, type[nn.Module], type[Any]]] = {
    "classifier": (classifier, classifier.Classifier, classifier.ClassifierConfig),
    "gan": (gan, gan.Generator, gan.GanConfig),
    "vae": (vae, vae.Vae, vae.VaeConfig),
}


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
    seed: int = catalogue.SEED
    """Seed of the initial weights, the order of the images and the noise."""
    likelihood_samples: int = 500
    """Number of importance samples per image for measuring a VAE's likelihood."""
    replay_tolerance: float = 0.01
    """Tolerance of `replay.disagreement`; see the catalogue."""

    def key(self) -> provenance.RecipeKey:
        """Compute the key of configuration, seed, data and code that valid weights must carry."""
        fields = dataclasses.asdict(self.config) | {"seed": self.seed}
        functions = (self.network, self.model.init, self.model.train_step, _LOAD, run_training)
        return provenance.recipe_key(fields, functions, mnist.digest())


def recipes() -> dict[str, Recipe]:
    """Return the recipes of the catalogue's models by name, in its order."""
    known = {}
    for name, entry in catalogue.ENTRIES.items():
        model, network, config = _MODELS[entry.model]
        known[name] = Recipe(
            name,
            entry.purpose,
            model,
            network,
            config(**entry.settings),
            likelihood_samples=entry.likelihood_samples,
            replay_tolerance=entry.replay_tolerance,
        )
    return known


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
