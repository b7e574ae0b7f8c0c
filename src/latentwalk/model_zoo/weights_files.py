"""Weights files of the recipes: where they lie, whether they are valid, and how they are read."""

import contextlib
import dataclasses
import functools
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from latentwalk import checkpoints, history, paths, provenance, replay
from latentwalk.model_zoo import recipes
from latentwalk.model_zoo.recipes import Recipe
from latentwalk.training import History
from problemset import file_io


@dataclass(frozen=True)
class Released:
    """A trained model, and where it comes from."""

    recipe: Recipe
    network: nn.Module
    """In evaluation mode."""
    metadata: provenance.WeightsMetadata
    history: History


def status(name: str) -> list[tuple[Path, checkpoints.WeightsStatus]]:
    """Give the places where a model's weights may lie, the preferred first, and their state."""
    recipe = recipes.get(name)
    return [(path, file_status(path, recipe)) for path in _all_places(name)]


def valid_file(name: str) -> Path | None:
    """Give the weights file that is used for a model; None where there is none that is valid."""
    recipe = recipes.get(name)
    return next((p for p in _all_places(name) if file_status(p, recipe).state == "valid"), None)


def _all_places(name: str) -> list[Path]:
    given = _given(name)
    return [*([given] if given else []), *places(name)]


def file_status(path: Path, recipe: Recipe) -> checkpoints.WeightsStatus:
    """Judge a weights file."""
    try:
        read(path, recipe)
    except checkpoints.WeightsError as error:
        return checkpoints.WeightsStatus(error.fault, str(error))
    return checkpoints.WeightsStatus("valid", "")


def find(name: str, say: Callable[[str], None] = lambda line: None) -> Released | None:
    """Give a trained model if there are valid weights, as `load` does; it never trains.

    Raises:
        ValueError, WeightsError: as `load` does.
    """
    recipe = recipes.get(name)
    for path in _all_places(name):
        found = file_status(path, recipe)
        if found.state == "valid" or path == _given(name):  # others in its place would mislead
            return read(path, recipe)
        if found.state != "missing":
            say(f"{name}: not using {path}: {found.reason}")
    return None


def read(path: Path, recipe: Recipe) -> Released:
    """Read weights that fit a recipe; in $LATENTWALK_WEIGHTS they bring their own.

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
        raise checkpoints.WeightsError(message, error.fault) from error
    network = network.to(memory_format=torch.channels_last).eval().requires_grad_(False)
    return Released(recipe, network, metadata, history.unpack(tensors))


def _with_current_code(
    path: Path, recipe: Recipe, tensors: dict[str, Tensor], metadata: provenance.WeightsMetadata
) -> provenance.WeightsMetadata:
    """Give the metadata with the key of the code as it is, which must compute the same.

    Raises:
        WeightsError: it computes something else, or there is no record to compare with.
    """
    renewed = replay.with_current_code(
        path, tensors, metadata, recipe.key(),
        functools.partial(recipes.repeat_steps, recipe), recipe.replay_tolerance,
    )  # fmt: skip
    if renewed != metadata:
        with contextlib.suppress(OSError, RuntimeError):  # else the steps are repeated each time
            checkpoints.save_weights(places(recipe.name)[0], tensors, renewed)
    return renewed


def renew(name: str) -> bool:
    """Give released weights the key of the code as it is now, if it still computes the same.

    Returns:
        Whether the file was written anew.

    Raises:
        WeightsError: the weights are stale, or of another configuration or data.
    """
    released = places(name)[1]
    tensors, before = checkpoints.load_weights(released, recipes.get(name).key())
    metadata = _with_current_code(released, recipes.get(name), tensors, before)
    if metadata == before:
        return False
    checkpoints.save_weights(released, tensors, metadata)
    return True


def release(names: Sequence[str]) -> list[Path]:
    """Copy trained weights from `build/weights` to `assets/weights`, with a fresh manifest.

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
    """Give where weights that were trained here lie, and where released ones do."""
    file = f"{name}.safetensors"
    return paths.built_weights_dir() / file, paths.released_weights_dir() / file


def _given(name: str) -> Path | None:
    """A file that the user put there to be used as it is."""
    folder = paths.given_weights_dir()
    path = folder / f"{name}.safetensors" if folder else None
    return path if path and path.exists() else None


def _recipe_of(metadata: provenance.WeightsMetadata, recipe: Recipe) -> Recipe:
    """Give the recipe that a file says it was made by."""
    try:
        config = metadata.recipe.as_config(type(recipe.config))
    except (TypeError, ValueError) as error:
        raise checkpoints.WeightsError(f"{recipe.name}: {error}") from error
    return dataclasses.replace(recipe, config=config, seed=metadata.seed)
