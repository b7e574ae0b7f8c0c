"""`latentwalk sample MODEL`: write images that a trained model generates.

PyTorch is imported once the arguments are found to be right, because that takes seconds.
"""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentwalk.model_zoo.catalogue import ENTRIES
from problemset import file_io, workspace
from problemset.commands.parsing import HELP, HelpAsked, Outcome, Parser, take_model

if TYPE_CHECKING:
    import numpy as np

    from latentwalk.model_zoo.recipes import Recipe
    from latentwalk.model_zoo.weights_files import Released

PROGRAM = "latentwalk sample"
MAX_COUNT = 100_000  # 0.3 GB of images, which take twice that in memory
MODELS = [name for name, entry in ENTRIES.items() if entry.model != "classifier"]


def run(arguments: Sequence[str]) -> Outcome:
    """Generate images and write them with their inputs and labels.

    Raises:
        HelpAsked: the general help was requested.
        UsageError: an unknown model or option.
        ValueError: an option out of range.
        WeightsError: --weights names a file that cannot be used.
        WriteError: the file cannot be written.
    """
    if arguments[:1] and arguments[0] in HELP:
        raise HelpAsked(_parser("MODEL").format_help().rstrip())
    name = take_model(arguments, MODELS, PROGRAM)
    options = read_options(name, arguments[1:])
    import numpy as np

    from latentwalk.model_zoo import recipes

    trained = _trained(recipes.recipes()[name], options.weights)
    arrays = draw(trained, options.count, options.seed)
    with file_io.atomic_path(options.out) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)
    shapes = [f"  {name:<8} {array.shape} {array.dtype}" for name, array in arrays.items()]
    return Outcome("\n".join([f"{options.out}: {name}, seed {options.seed}", *shapes]))


def read_options(name: str, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments after the model's name.

    Raises:
        HelpAsked, UsageError, ValueError: as for `run`.
    """
    options = _parser(name).parse_args(arguments)
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
    if options.weights is not None and not options.weights.is_file():
        raise ValueError(f"--weights {options.weights} is missing; name a file that exists")
    return options


def _parser(name: str) -> Parser:
    """The parser of a model's options; with the name MODEL, for the general help."""
    parser = Parser(f"{PROGRAM} {name}", _help(name))
    option = parser.add_argument
    says = "File to write, in an existing folder; an existing file is replaced."
    option("--out", type=Path, required=True, metavar="FILE.npz", help=says)
    option("--count", type=int, default=100, help="Number of images, 1 ... 100,000.")
    says = "Seed of the noise: the same seed gives the same images."
    option("--seed", type=int, default=0, help=says)
    says = "Weights of a variant, from `latentwalk train`; the report's weights if omitted."
    option("--weights", type=Path, metavar="FILE.safetensors", help=says)
    return parser


def draw(trained: "Released", count: int, seed: int) -> "dict[str, np.ndarray]":
    """Generate `count` images from one seed.

    Returns:
        `images` (N, 1, 28, 28) float32 in [0, 1]; `inputs` (N, input_size) float32, the network's
        inputs; for a conditional model `labels` (N,) int64, balanced over the digits.
    """
    import torch

    rng = torch.Generator().manual_seed(seed)
    samples = trained.recipe.model.sample(trained.network, count, rng)
    arrays = {"images": samples.images.numpy(), "inputs": samples.inputs.numpy()}
    if samples.labels is not None:
        arrays["labels"] = samples.labels.numpy()
    return arrays


def _trained(recipe: "Recipe", weights: Path | None) -> "Released":
    from latentwalk.model_zoo import trainer, weights_files

    if weights is not None:
        return weights_files.read(weights, variant(recipe, weights))
    if weights_files.valid_file(recipe.name):
        return trainer.load(recipe.name)
    with workspace.build_lock():  # the model has to be trained
        return trainer.load(recipe.name)


def variant(recipe: "Recipe", weights: Path) -> "Recipe":
    """Rebuild the recipe that a weights file was trained with, from its metadata.

    Raises:
        WeightsError: another model, a damaged file, or other fields than the configuration has.
    """
    from latentwalk.training import checkpoints
    from latentwalk.training.tensor_file import WeightsError

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


def _gives(name: str) -> str:
    """What a model gives, in a few words."""
    config = ENTRIES[name].config()
    labels = getattr(config, "num_classes", 0)
    inputs = f"{config.latent_size + labels} inputs each"
    return f"images of each digit in turn, {inputs}, labels" if labels else f"images, {inputs}"


def _help(name: str) -> str:
    models = [f"    {each:<10}  {_gives(each)}" for each in MODELS]
    every = "The models are, all with the options below:\n" + "\n".join(models)
    example = "cgan" if name == "MODEL" else name
    return f"""Write images generated by a trained model, for use with your own tools.

{every if name == "MODEL" else f"The model `{name}` gives {_gives(name)}."}

The file holds, as NumPy arrays:
    images  (N, 1, 28, 28) float32 in [0, 1], 1 is ink
    inputs  (N, size) float32, the network's inputs
    labels  (N,) int64, the digits asked for, only of models with labels
The file is written completely or not at all. Without valid weights the model is trained first.

Example:
    {PROGRAM} {example} --count 100 --seed 1 --out digits.npz
"""
