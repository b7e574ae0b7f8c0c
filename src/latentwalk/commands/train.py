"""`latentwalk train MODEL`: train a model of the report, or a variant of it."""

import argparse
import ast
import contextlib
import dataclasses
import inspect
import itertools
import math
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import torch

from latentwalk import paths
from latentwalk.model_zoo import recipes, trainer
from latentwalk.model_zoo.recipes import Recipe
from latentwalk.training import loop
from latentwalk.training.loop import Precision
from problemset import workspace
from problemset.commands.parsing import HELP, HelpAsked, Outcome, Parser, UsageError, take_model

PROGRAM = "latentwalk train"
SUFFIX = ".safetensors"
MOST_SAMPLES = 1_000_000  # ten hours on two cores
LARGEST = 10**9  # limit on integers in a configuration; much larger ones overflow in PyTorch


def run(arguments: Sequence[str]) -> Outcome:
    """Train one model, or resume its interrupted training run, and write its weights.

    Raises:
        HelpAsked: the overview of the models was requested.
        UsageError: an unknown model or option.
        ValueError: a configuration field out of range, or a file that must not be written.
        TrainingDiverged: a loss became infinite or NaN.
    """
    known = recipes.recipes()
    if arguments[:1] and arguments[0] in HELP:
        raise HelpAsked(_overview(known.values()))
    recipe = known[take_model(arguments, list(known), PROGRAM)]
    options = read_options(recipe, arguments[1:])
    chosen = dataclasses.replace(
        recipe,
        config=options.config,
        seed=options.seed,
        likelihood_samples=options.likelihood_samples,
    )
    out = target(recipe, chosen, options.out)
    with workspace.build_lock(), _said_in_options():
        trained = trainer.train(
            chosen,
            out=out,
            precision=options.precision,
            device=_device(options.device),
        )
    rows = [f"  {name:<36} {value:.6g}" for name, value in trained.metadata.metrics.items()]
    return Outcome("\n".join([f"{out}: trained in {trained.metadata.seconds:.0f} s", *rows]))


def read_options(recipe: Recipe, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments after the model's name; the recipe supplies the defaults.

    Returns:
        `config`, and the settings of the run.

    Raises:
        HelpAsked, UsageError, ValueError: as for `run`.
    """
    parser = Parser(f"{PROGRAM} {recipe.name}", _help(recipe))
    option = parser.add_argument
    says = "Seed of the initial weights, the order of the images and the noise."
    option("--seed", type=int, default=recipe.seed, help=says)
    says = "Weights file to write, in an existing folder. For the default see above."
    option("--out", type=Path, metavar="FILE.safetensors", help=says)
    says = "Number format of the convolutions; auto times both and takes the faster."
    option("--precision", type=str, choices=get_args(Precision), default="auto", help=says)
    says = "Where to train; auto uses a GPU if there is one."
    option("--device", type=str, choices=("auto", "cpu", "cuda"), default="auto", help=says)
    says = "Importance samples per image for a VAE's likelihood; 5,000 take three minutes."
    option("--likelihood-samples", type=int, default=recipe.likelihood_samples, help=says)
    fields = _add_fields(parser, recipe.config)
    options = parser.parse_args(arguments)
    given = {name: getattr(options, name) for name in fields}
    _check(options, given)
    try:
        options.config = type(recipe.config)(**given)
    except ValueError as error:  # names `Class.field`
        field = re.sub(r"^[A-Z]\w*\.(\w+)", lambda name: _option(name[1]), str(error))
        raise UsageError(field) from error
    return options


def _add_fields(parser: Parser, config: Any) -> list[str]:
    """Add an option for each field of the configuration, explained by the docstring below it."""
    (tree,) = ast.parse(inspect.getsource(type(config))).body
    names = []
    for field, below in itertools.pairwise(getattr(tree, "body", ())):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
            name, value = ast.unparse(field.target), getattr(config, ast.unparse(field.target))
            says = " ".join(ast.literal_eval(below.value).split()).replace("%", "%%")
            how: dict[str, Any] = {"type": type(value)}
            if isinstance(value, bool):
                how = {"action": argparse.BooleanOptionalAction}
            parser.add_argument(_option(name), default=value, help=says, **how)
            names.append(name)
    return names


def _option(field: str) -> str:
    return f"--{field.replace('_', '-')}"


def _check(options: argparse.Namespace, config: Mapping[str, Any]) -> None:
    if not 0 <= options.seed < 2**63:
        raise ValueError(f"--seed is {options.seed}, expected 0 ... 2^63 - 1")
    if options.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device is cuda, but there is no GPU that PyTorch can use; use cpu")
    if not 1 <= options.likelihood_samples <= MOST_SAMPLES:
        got = options.likelihood_samples
        raise ValueError(f"--likelihood-samples is {got}, expected 1 ... {MOST_SAMPLES}")
    for name, value in config.items():
        if isinstance(value, int) and value > LARGEST:
            raise ValueError(f"{_option(name)} is {value}, expected {LARGEST} or less")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{_option(name)} is {value}, expected a finite number")


@contextlib.contextmanager
def _said_in_options() -> Iterator[None]:
    """Turn PyTorch's error about a configuration that it cannot train into a one-line message."""
    try:
        yield
    except (RuntimeError, OverflowError, MemoryError) as error:
        if type(error).__module__.startswith(("latentwalk.", "problemset.")):
            raise
        memory = isinstance(error, MemoryError) or re.search(r"memory|alloc", str(error))
        why = "it does not fit into memory" if memory else str(error).strip().split("\n")[0]
        message = f"PyTorch cannot train this configuration: {why}; choose smaller values"
        raise UsageError(message) from error


def target(recipe: Recipe, chosen: Recipe, out: Path | None) -> Path:
    """Path of the weights file; a variant never overwrites a model of the report.

    Args:
        recipe: the report's recipe.
        chosen: the recipe to be trained.
        out: the user's --out, if given.

    Raises:
        ValueError: a file that cannot be, or must not be, written.
    """
    own = paths.built_weights_dir() / f"{recipe.name}{SUFFIX}"
    if out is None:
        changed = chosen.key() != recipe.key()
        return own.with_stem(f"{recipe.name}-{chosen.key().digest[:8]}") if changed else own
    if out.suffix != SUFFIX:
        raise ValueError(f"--out is {out}, expected a name that ends in {SUFFIX}")
    if out.is_dir() or not out.parent.is_dir():
        what = "is a folder" if out.is_dir() else f"is in {out.parent}, which is not a folder"
        raise ValueError(f"--out {out} {what}; name a file in a folder that exists")
    folders = [paths.built_weights_dir().resolve(), paths.released_weights_dir().resolve()]
    try:
        tempfile.TemporaryFile(dir=out.parent).close()  # fail now, not after training
    except OSError as error:
        why = error.strerror or error
        raise ValueError(f"--out {out} cannot be written ({why}); name another folder") from error
    # the report's own file may be written, but only with the report's recipe
    reserved = out.resolve().parent in folders and out.stem in recipes.recipes()
    if reserved and (out.resolve() != own.resolve() or chosen.key() != recipe.key()):
        raise ValueError(f"--out {out} is reserved for the report's weights; choose another name")
    return out


def _device(name: str) -> torch.device:
    return loop.best_device() if name == "auto" else torch.device(name)


def _overview(known: Iterable[Recipe]) -> str:
    rows = [f"  {recipe.name:<12} {recipe.purpose}" for recipe in known]
    return "\n".join(
        [
            f"usage: {PROGRAM} MODEL [OPTIONS]\n",
            "Train a model of the report, or a variant of it.\n",
            "models:",
            *rows,
            f"\n`{PROGRAM} MODEL --help` lists the options, one for each configuration field.",
        ]
    )


def _help(recipe: Recipe) -> str:
    name = recipe.name
    return f"""Train the model `{name}` ({recipe.purpose}) on MNIST, measure it, write its weights.

With the default options, the weights are written to build/weights/{name}{SUFFIX}, and the report
uses them from then on. Another configuration or seed makes a variant: its weights are written to
build/weights/{name}-<8 hexadecimal digits of its recipe>{SUFFIX}, or to --out, and the report's
weights stay as they are. To resume an interrupted training run, run the same command again.

Example:
    {PROGRAM} {name} --steps 500 --out {name}-short{SUFFIX}
"""
