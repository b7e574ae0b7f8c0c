"""Train the models of the recipes, measure them, and write their weights."""

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from latentwalk import paths
from latentwalk.data import mnist
from latentwalk.model_zoo import measures, recipes, weights_files
from latentwalk.model_zoo.recipes import Recipe
from latentwalk.model_zoo.weights_files import Released
from latentwalk.models import classifier, vae
from latentwalk.training import checkpoints, history, loop, provenance
from problemset import source_code

_LOG = logging.getLogger(__name__)

LIKELIHOOD_IMAGES = 500
"""Number of test images on which the gain of importance sampling over the ELBO is measured."""


def load(name: str) -> Released:
    """Load a trained model from valid weights; train it if there are none.

    Args:
        name: one of `recipes()`.

    Raises:
        ValueError: there is no such model.
        WeightsError: the file of that name in $LATENTWALK_WEIGHTS cannot be used.
        TrainingDiverged: the model had to be trained, and a loss became infinite or NaN.
    """
    if found := weights_files.find(name):
        return found
    _LOG.warning("%s: training it, because there are no valid weights", name)
    return train(recipes.get(name))


def train(
    recipe: Recipe,
    *,
    out: Path | None = None,
    precision: loop.Precision = "auto",
    device: torch.device | None = None,
) -> Released:
    """Train a model, or resume its interrupted training run, and write its weights.

    Args:
        recipe: the recipe to train.
        out: the weights file to write; `build/weights/<name>.safetensors` if omitted.
        precision: see `training.fit`.
        device: where to train; `training.best_device()` if omitted.
    """
    out = out or weights_files.places(recipe.name)[0]
    unmeasured = fit(recipe, precision=precision, device=device)
    tensors, metadata = checkpoints.load_weights(unmeasured)
    network = weights_files.read(unmeasured, recipe).network
    metrics = measure(recipe, network)
    metadata = dataclasses.replace(metadata, metrics=metrics)
    checkpoints.save_weights(out, tensors, metadata)
    # otherwise `fit` would return it the next time instead of training
    unmeasured.unlink()
    _LOG.info("%s: trained in %.0f s, wrote %s", recipe.name, metadata.seconds, out)
    return weights_files.read(out, recipe)


def fit(
    recipe: Recipe,
    *,
    precision: loop.Precision = "auto",
    device: torch.device | None = None,
    bar_options: Mapping[str, Any] | None = None,
) -> Path:
    """Train without evaluating, and write the weights to the checkpoint folder.

    `train` picks the weights up from there and evaluates them. So an interruption during the
    evaluation does not lose the training run.

    Returns:
        Path of the weights, whose metrics are still empty.
    """
    device = device or loop.best_device()
    key = recipe.key()
    checkpoint = paths.checkpoints_dir() / f"{recipe.name}-{key.digest[:8]}.safetensors"
    unmeasured = checkpoint.with_stem(f"{checkpoint.stem}-trained")
    # trained before, but interrupted while it was measured
    if weights_files.file_status(unmeasured, recipe).state == "valid":
        return unmeasured
    trained = recipes.run_training(
        recipe.model,
        recipe.config,
        mnist.load("train"),
        recipe.seed,
        key=key.digest,
        checkpoint=checkpoint,
        device=device,
        precision=precision,
        snapshot=_snapshot(recipe, device),
        bar_options=bar_options,
    )
    tensors = {f"network/{k}": v for k, v in trained.network.cpu().state_dict().items()}
    tensors |= history.pack(trained.history)
    # recorded with the code that trained, to compare with when the code has changed
    replayed = recipes.repeat_steps(recipe)
    tensors |= {f"replay/{window}": change for window, change in replayed.changes.items()}
    metadata = _metadata(recipe, trained, device, replayed.about)
    checkpoints.save_weights(unmeasured, tensors, metadata)
    # only now: until the weights are written, an interrupted run resumes from it
    checkpoint.unlink(missing_ok=True)
    return unmeasured


def _metadata(
    recipe: Recipe, trained: loop.Trained, device: torch.device, replayed: dict[str, str]
) -> provenance.WeightsMetadata:
    key = recipe.key()
    return provenance.WeightsMetadata(
        name=recipe.name,
        recipe=key,
        algorithm=_algorithm(recipe.name, key),
        replay=replayed,
        seed=recipe.seed,
        steps=recipe.config.steps,
        versions=provenance.library_versions() | {"precision": trained.precision},
        device=provenance.device_name(device),
        threads=torch.get_num_threads(),
        seconds=round(trained.elapsed_seconds, 1),
        metrics={},
    )


def _algorithm(name: str, key: provenance.RecipeKey) -> str:
    """Identifier of what the code computes; that of the released weights if their code matches."""
    with contextlib.suppress(checkpoints.WeightsError):
        _, released = checkpoints.load_weights(weights_files.places(name)[1])
        if released.recipe.code == key.code and released.algorithm:
            return released.algorithm
    return source_code.sha256(key.code)


def measure(recipe: Recipe, network: nn.Module) -> dict[str, float]:
    """Measure a trained network; `measures` explains the numbers.

    Args:
        recipe: the recipe it was trained with.
        network: on the CPU, in evaluation mode.
    """
    _LOG.info("%s: measuring it", recipe.name)
    test = mnist.load("test")
    if isinstance(network, classifier.Classifier):
        return measures.measure_accuracy(network, test)
    # may train the classifier first, because it measures all other models
    oracle = load("classifier").network
    assert isinstance(oracle, classifier.Classifier)
    found = measures.measure_samples(network, oracle, mnist.load("train"), test)
    if isinstance(network, vae.Vae):
        samples = recipe.likelihood_samples
        found |= measures.measure_likelihood(network, test, samples, LIKELIHOOD_IMAGES)
    return found


def _snapshot(recipe: Recipe, device: torch.device) -> Callable[[nn.Module], Tensor] | None:
    """Return a function that generates ten images of fixed inputs; None for the classifier."""
    if recipe.model is classifier:
        return None

    def draw(network: nn.Module) -> Tensor:
        # seeded for each snapshot, so that all of them show the same inputs
        rng = torch.Generator(device).manual_seed(recipe.seed)
        return recipe.model.sample(network, 10, rng).images

    return draw
