"""`latentwalk sample MODEL`: write images that a trained model generates."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from latentwalk.model_zoo import recipes, trainer, weights_files
from latentwalk.model_zoo.recipes import Recipe
from latentwalk.model_zoo.weights_files import Released
from latentwalk.training import checkpoints
from latentwalk.training.tensor_file import WeightsError
from problemset import file_io, workspace
from problemset.commands.parsing import HELP, HelpAsked, Outcome, Parser, take_model

PROGRAM = "latentwalk sample"
MAX_COUNT = 100_000  # 0.3 GB of images, which take twice that in memory


def run(arguments: Sequence[str]) -> Outcome:
    """Generate images and write them with their inputs and labels.

    Raises:
        HelpAsked: the general help was requested.
        UsageError: an unknown model or option.
        ValueError: an option out of range.
        WeightsError: --weights names a file that cannot be used.
        WriteError: the file cannot be written.
    """
    known = {r.name: r for r in recipes.recipes().values() if hasattr(r.model, "sample")}
    if arguments[:1] and arguments[0] in HELP:
        raise HelpAsked(_help("MODEL", f"models: {', '.join(known)}\n"))
    recipe = known[take_model(arguments, list(known), PROGRAM)]
    options = read_options(recipe.name, arguments[1:])
    trained = _trained(recipe, options.weights)
    arrays = draw(trained, options.count, options.seed)
    with file_io.atomic_path(options.out) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)
    shapes = [f"  {name:<8} {array.shape} {array.dtype}" for name, array in arrays.items()]
    return Outcome("\n".join([f"{options.out}: {recipe.name}, seed {options.seed}", *shapes]))


def read_options(name: str, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments after the model's name.

    Raises:
        HelpAsked, UsageError, ValueError: as for `run`.
    """
    parser = Parser(f"{PROGRAM} {name}", _help(name))
    option = parser.add_argument
    says = "File to write, in an existing folder; an existing file is replaced."
    option("--out", type=Path, required=True, metavar="FILE.npz", help=says)
    option("--count", type=int, default=100, help="Number of images, 1 ... 100,000.")
    says = "Seed of the noise: the same seed gives the same images."
    option("--seed", type=int, default=0, help=says)
    says = "Weights of a variant, from `latentwalk train`; the report's weights if omitted."
    option("--weights", type=Path, metavar="FILE.safetensors", help=says)
    options = parser.parse_args(arguments)
    if not 1 <= options.count <= MAX_COUNT:
        raise ValueError(f"--count is {options.count}, expected 1 ... {MAX_COUNT}")
    if not 0 <= options.seed < 2**63:
        raise ValueError(f"--seed is {options.seed}, expected 0 ... 2^63 - 1")
    out: Path = options.out
    if out.suffix != ".npz":
        raise ValueError(f"--out is {out}, expected a name that ends in .npz")
    if out.is_dir() or not out.parent.is_dir():
        what = "is a folder" if out.is_dir() else f"needs the folder {out.parent}"
        raise ValueError(f"--out {out} {what}; name a file in a folder that exists")
    return options


def draw(trained: Released, count: int, seed: int) -> dict[str, np.ndarray]:
    """Generate `count` images from one seed.

    Returns:
        `images` (N, 1, 28, 28) float32 in [0, 1]; `inputs` (N, input_size) float32, the network's
        inputs; for a conditional model `labels` (N,) int64, balanced over the digits.
    """
    rng = torch.Generator().manual_seed(seed)
    samples = trained.recipe.model.sample(trained.network, count, rng)
    arrays = {"images": samples.images.numpy(), "inputs": samples.inputs.numpy()}
    if samples.labels is not None:
        arrays["labels"] = samples.labels.numpy()
    return arrays


def _trained(recipe: Recipe, weights: Path | None) -> Released:
    if weights is not None:
        return weights_files.read(weights, variant(recipe, weights))
    if weights_files.valid_file(recipe.name):
        return trainer.load(recipe.name)
    with workspace.build_lock():  # the model has to be trained
        return trainer.load(recipe.name)


def variant(recipe: Recipe, weights: Path) -> Recipe:
    """Rebuild the recipe that a weights file was trained with, from its metadata.

    Raises:
        WeightsError: another model, a damaged file, or other fields than the configuration has.
    """
    metadata = checkpoints.load_weights(weights)[1]
    if metadata.name != recipe.name:
        raise WeightsError(f"{weights} holds {metadata.name}, expected {recipe.name}", "misfit")
    fields: dict[str, Any] = dict(metadata.recipe.configuration)
    seed = fields.pop("seed", recipe.seed)
    names = {field.name for field in dataclasses.fields(recipe.config)}
    if fields.keys() != names:
        odd = ", ".join(sorted(fields.keys() ^ names))
        raise WeightsError(f"{weights} is stale: configuration fields changed: {odd}", "stale")
    return dataclasses.replace(recipe, config=type(recipe.config)(**fields), seed=seed)


def _help(name: str, models: str = "") -> str:
    usage = f"usage: {PROGRAM} MODEL [OPTIONS]\n\n" if models else ""
    more = f"\n`{PROGRAM} MODEL --help` lists the options." if models else ""
    return f"""{usage}Write images generated by a trained model, for use with your own tools.
{models}
The file holds, as NumPy arrays:
    images  (N, 1, 28, 28) float32 in [0, 1], 1 is ink
    inputs  (N, size) float32, the network's inputs
    labels  (N,) int64, the digits asked for: conditional models only, 0 1 ... 9 0 1 ...
The file is written completely or not at all. Without valid weights the model is trained first.

Example:
    {PROGRAM} {name if not models else "cgan"} --count 100 --seed 1 --out digits.npz
{more}"""
