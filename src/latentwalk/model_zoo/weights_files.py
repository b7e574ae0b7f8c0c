"""Weights files of the recipes: where they are, whether they are valid, and how to read them."""

import contextlib
import dataclasses
import functools
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from latentwalk import paths
from latentwalk.model_zoo import recipes
from latentwalk.model_zoo.recipes import Recipe
from latentwalk.training import checkpoints, history, provenance, replay
from latentwalk.training.loop import History
from problemset import file_io

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Released:
    """A trained model with its recipe, metadata and training log."""

    recipe: Recipe
    network: nn.Module
    """The network, in evaluation mode."""
    metadata: provenance.WeightsMetadata
    history: History


def status(name: str) -> list[tuple[Path, checkpoints.WeightsStatus]]:
    """List the possible paths of a model's weights, in order of preference, with their state."""
    recipe = recipes.get(name)
    return [(path, file_status(path, recipe)) for path in _all_places(name)]


def valid_file(name: str) -> Path | None:
    """Return the weights file that is used for a model, or None if no file is valid."""
    recipe = recipes.get(name)
    return next((p for p in _all_places(name) if file_status(p, recipe).state == "valid"), None)


def _all_places(name: str) -> list[Path]:
    given = _given(name)
    return [*([given] if given else []), *places(name)]


def file_status(path: Path, recipe: Recipe) -> checkpoints.WeightsStatus:
    """Determine whether a weights file is valid for a recipe."""
    try:
        read(path, recipe)
    except checkpoints.WeightsError as error:
        return checkpoints.WeightsStatus(error.problem, str(error))
    return checkpoints.WeightsStatus("valid", "")


def find(name: str) -> Released | None:
    """Load a trained model if there are valid weights; unlike `trainer.load`, never train.

    Raises:
        ValueError, WeightsError: as for `trainer.load`.
    """
    recipe = recipes.get(name)
    for path in _all_places(name):
        try:
            return read(path, recipe)
        except checkpoints.WeightsError as error:
            if path == _given(name):  # never replace the user's file silently
                raise
            if error.problem != "missing":
                _LOG.warning("%s: not using %s: %s", name, path, error)
    return None


def read(path: Path, recipe: Recipe) -> Released:
    """Read weights that fit a recipe; those in $LATENTWALK_WEIGHTS bring their own recipe.

    Raises:
        WeightsError: the file is missing, damaged, stale, or holds another network.
    """
    if path == _given(recipe.name):
        tensors, metadata = checkpoints.load_weights(path)
        recipe = _recipe_of(metadata, recipe)
    else:
        tensors, metadata = checkpoints.load_weights(path, recipe.key())
        metadata = _with_current_code(path, recipe, tensors, metadata)
    network = recipe.network(recipe.config)
    try:
        checkpoints.load_into(network, checkpoints.under("network/", tensors))
    except checkpoints.WeightsError as error:
        message = f"{path}, trained as {metadata.name}: {error}"
        raise checkpoints.WeightsError(message, error.problem) from error
    network = network.to(memory_format=torch.channels_last).eval().requires_grad_(False)
    return Released(recipe, network, metadata, history.unpack(tensors))


def _with_current_code(
    path: Path, recipe: Recipe, tensors: dict[str, Tensor], metadata: provenance.WeightsMetadata
) -> provenance.WeightsMetadata:
    """Update the metadata to the current code, which must compute the same results.

    Raises:
        WeightsError: the code computes other results, or there is no record to compare with.
    """
    renewed = replay.with_current_code(
        path,
        tensors,
        metadata,
        recipe.key(),
        functools.partial(recipes.repeat_steps, recipe),
        recipe.replay_tolerance,
    )
    if renewed != metadata:
        with contextlib.suppress(OSError, RuntimeError):  # saves replaying the next time
            checkpoints.save_weights(places(recipe.name)[0], tensors, renewed)
    return renewed


def renew(name: str) -> bool:
    """Update the key of released weights to the current code, if it still computes the same.

    Returns:
        Whether the file was rewritten.

    Raises:
        WeightsError: the weights are stale, or belong to another configuration or data.
    """
    released = places(name)[1]
    tensors, before = checkpoints.load_weights(released, recipes.get(name).key())
    metadata = _with_current_code(released, recipes.get(name), tensors, before)
    if metadata == before:
        return False
    checkpoints.save_weights(released, tensors, metadata)
    return True


def release(names: Sequence[str]) -> list[Path]:
    """Copy trained weights from `build/weights` to `assets/weights`, and rewrite the manifest.

    Raises:
        WeightsError: a file to be copied is missing, damaged or stale.
    """
    written = []
    for name in names:
        built, released = places(name)
        read(built, recipes.get(name))
        with file_io.atomic_path(released) as temporary:
            shutil.copyfile(built, temporary)
        written.append(released)
    checkpoints.write_manifest(paths.released_weights_dir())
    return written


def places(name: str) -> tuple[Path, Path]:
    """Return the path of weights trained on this machine, and that of released weights."""
    file = f"{name}.safetensors"
    return paths.built_weights_dir() / file, paths.released_weights_dir() / file


def _given(name: str) -> Path | None:
    """Path of the weights file in $LATENTWALK_WEIGHTS, if there is one."""
    folder = paths.given_weights_dir()
    # listed, so that rendering notices when a file is added to the folder
    files = folder.iterdir() if folder else ()
    return next((path for path in files if path.name == f"{name}.safetensors"), None)


def _recipe_of(metadata: provenance.WeightsMetadata, recipe: Recipe) -> Recipe:
    """Rebuild the recipe that a file was trained with, from its metadata."""
    try:
        config = metadata.recipe.as_config(type(recipe.config))
    except (TypeError, ValueError) as error:
        raise checkpoints.WeightsError(f"{recipe.name}: {error}") from error
    return dataclasses.replace(recipe, config=config, seed=metadata.seed)
