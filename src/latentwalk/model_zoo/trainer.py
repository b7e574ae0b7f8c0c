"""Train the models of the recipes, measure them, and write their weights."""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from latentwalk import checkpoints, data, history, measures, paths, provenance, training
from latentwalk.model_zoo import recipes, weights_files
from latentwalk.model_zoo.recipes import Recipe
from latentwalk.model_zoo.weights_files import Released
from latentwalk.models import classifier, vae
from problemset import source_code

LIKELIHOOD_IMAGES = 500
"""Number of test images on which the gain of importance sampling over the ELBO is measured."""


def load(name: str, say: Callable[[str], None] = lambda line: None) -> Released:
    """Load a trained model from valid weights; train it if there are none.

    Args:
        name: one of `recipes()`.
        say: receives a line for each weights file that cannot be used, with the reason.

    Raises:
        ValueError: there is no such model.
        WeightsError: the file of that name in $LATENTWALK_WEIGHTS cannot be used.
        TrainingDiverged: the model had to be trained, and a loss became infinite or NaN.
    """
    if found := weights_files.find(name, say):
        return found
    say(f"{name}: training it, because there are no valid weights")
    return train(recipes.get(name), say=say)


def train(
    recipe: Recipe,
    *,
    out: Path | None = None,
    precision: training.Precision = "auto",
    device: torch.device | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Released:
    """Train a model, or resume its interrupted training run, and write its weights.

    Args:
        recipe: the recipe to train.
        out: the weights file to write; `build/weights/<name>.safetensors` if omitted.
        precision: see `training.fit`.
        device: where to train; `training.best_device()` if omitted.
        say: receives one-line messages.
    """
    out = out or weights_files.places(recipe.name)[0]
    unmeasured = fit(recipe, precision=precision, device=device, say=say)
    tensors, metadata = checkpoints.load_weights(unmeasured)
    network = weights_files.read(unmeasured, recipe).network
    metrics = measure(recipe, network, say)
    metadata = dataclasses.replace(metadata, metrics=metrics)
    checkpoints.save_weights(out, tensors, metadata)
    unmeasured.unlink()
    say(f"{recipe.name}: trained in {metadata.seconds:.0f} s, wrote {out}")
    return weights_files.read(out, recipe)


def fit(
    recipe: Recipe,
    *,
    precision: training.Precision = "auto",
    device: torch.device | None = None,
    bar_options: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train without evaluating, and write the weights to the checkpoint folder.

    `train` picks the weights up from there and evaluates them. So an interruption during the
    evaluation does not lose the training run.

    Returns:
        Path of the weights, whose metrics are still empty.
    """
    device = device or training.best_device()
    key = recipe.key()
    checkpoint = paths.checkpoints_dir() / f"{recipe.name}-{key.digest[:8]}.safetensors"
    unmeasured = checkpoint.with_stem(f"{checkpoint.stem}-trained")
    if weights_files.file_status(unmeasured, recipe).state == "valid":
        return unmeasured
    trained = recipes.run_training(
        recipe.model, recipe.config, data.load("train", say), recipe.seed, key=key.digest,
        checkpoint=checkpoint, device=device, precision=precision,
        snapshot=_snapshot(recipe, device), bar_options=bar_options, say=say,
    )  # fmt: skip
    tensors = {f"network/{k}": v for k, v in trained.network.cpu().state_dict().items()}
    tensors |= history.pack(trained.history)
    replayed = recipes.repeat_steps(recipe)
    tensors |= {f"replay/{window}": change for window, change in replayed.changes.items()}
    metadata = _metadata(recipe, trained, device, replayed.about)
    checkpoints.save_weights(unmeasured, tensors, metadata)
    checkpoint.unlink(missing_ok=True)
    return unmeasured


def _metadata(
    recipe: Recipe, trained: training.Trained, device: torch.device, replayed: dict[str, str]
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


def measure(
    recipe: Recipe, network: nn.Module, say: Callable[[str], None] = lambda line: None
) -> dict[str, float]:
    """Measure a trained network; `measures` explains the numbers.

    Args:
        recipe: the recipe it was trained with.
        network: on the CPU, in evaluation mode.
        say: receives one-line messages.
    """
    say(f"{recipe.name}: measuring it")
    test = data.load("test", say)
    if isinstance(network, classifier.Classifier):
        return measures.measure_judge(network, test)
    judge = load("classifier", say).network
    assert isinstance(judge, classifier.Classifier)
    found = measures.measure_samples(network, judge, data.load("train", say), test)
    if isinstance(network, vae.Vae):
        samples = recipe.likelihood_samples
        found |= measures.measure_likelihood(network, test, samples, LIKELIHOOD_IMAGES)
    return found


def _snapshot(recipe: Recipe, device: torch.device) -> Callable[[nn.Module], Tensor] | None:
    """Function that generates ten images from the same inputs each time; None for the judge."""
    if recipe.model is classifier:
        return None

    def draw(network: nn.Module) -> Tensor:
        rng = torch.Generator(device).manual_seed(recipe.seed)
        return recipe.model.sample(network, 10, rng).images

    return draw
