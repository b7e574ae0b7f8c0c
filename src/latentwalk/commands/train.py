"""`latentwalk train MODEL`: train a model of the report, or a variant of it.

PyTorch is imported once the arguments are found to be right, because that takes seconds.
"""

import argparse
import contextlib
import dataclasses
import math
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentwalk import paths
from latentwalk.model_zoo import catalogue
from latentwalk.model_zoo.catalogue import ENTRIES
from latentwalk.models.configuration import field_docstrings
from problemset import workspace
from problemset.commands.parsing import HELP, HelpAsked, Outcome, Parser, UsageError, take_model

if TYPE_CHECKING:
    import torch

    from latentwalk.model_zoo.recipes import Recipe

PROGRAM = "latentwalk train"
SUFFIX = ".safetensors"
PRECISIONS = ("auto", "float32", "bfloat16")
MOST_SAMPLES = 1_000_000  # ten hours on two cores
LARGEST = 10**9  # limit on integers in a configuration; much larger ones overflow in PyTorch
IDLE_WITHOUT = {"naming": "num_classes"}
"""Fields that do nothing in a model whose other field, named here, is 0."""


def run(arguments: Sequence[str]) -> Outcome:
    """Train one model, or resume its interrupted training run, and write its weights.

    Raises:
        HelpAsked: the overview of the models was requested.
        UsageError: an unknown model or option.
        ValueError: a configuration field out of range, or a file that must not be written.
        TrainingDiverged: a loss became infinite or NaN.
    """
    if arguments[:1] and arguments[0] in HELP:
        raise HelpAsked(_overview())
    name = take_model(arguments, list(ENTRIES), PROGRAM)
    options = read_options(name, arguments[1:])
    from latentwalk.model_zoo import recipes, trainer

    recipe = recipes.recipes()[name]
    chosen = dataclasses.replace(
        recipe,
        config=dataclasses.replace(recipe.config, **options.fields),
        seed=options.seed,
        likelihood_samples=options.likelihood_samples,
    )
    out = target(recipe, chosen, options.out)
    with workspace.build_lock(), _said_in_options():
        trained = trainer.train(
            chosen, out=out, precision=options.precision, device=_device(options.device)
        )
    rows = [f"  {name:<36} {value:.6g}" for name, value in trained.metadata.metrics.items()]
    made = f"{out}: trained in {trained.metadata.seconds:.0f} s"
    return Outcome("\n".join([made, *rows, next_step(name, out)]))


def read_options(name: str, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments after the model's name; the catalogue supplies the defaults.

    Returns:
        The settings of the run, and in `fields` the configuration fields that were given.

    Raises:
        HelpAsked, UsageError, ValueError: as for `run`.
    """
    entry = ENTRIES[name]
    parser = Parser(f"{PROGRAM} {name}", _help(name))
    option = parser.add_argument
    says = "Seed of the initial weights, the order of the images and the noise."
    option("--seed", type=int, default=catalogue.SEED, help=says)
    says = "Weights file to write, in an existing folder. For the default see above."
    option("--out", type=Path, metavar=f"FILE{SUFFIX}", help=says)
    says = "Number format of the convolutions; auto times both and takes the faster."
    option("--precision", type=str, choices=PRECISIONS, default="auto", help=says)
    says = "Where to train; auto uses a GPU if there is one."
    option("--device", type=str, choices=("auto", "cpu", "cuda"), default="auto", help=says)
    if entry.model == "vae":
        says = "Importance samples per image for the likelihood; 5,000 take three minutes."
        option("--likelihood-samples", type=int, default=entry.likelihood_samples, help=says)
    fields = _add_fields(parser, entry)
    options = parser.parse_args(arguments)
    options.likelihood_samples = getattr(options, "likelihood_samples", entry.likelihood_samples)
    given = {field: getattr(options, field) for field in fields}
    _check(options, given)
    try:
        default = entry.config()
        entry.config(**given)
    except ValueError as error:  # names `Class.field`
        field = re.sub(r"^[A-Z]\w*\.(\w+)", lambda name: _option(name[1]), str(error))
        raise UsageError(field) from error
    options.fields = {n: value for n, value in given.items() if value != getattr(default, n)}
    if options.out is not None:
        _check_out(name, options)
    return options


def _add_fields(parser: Parser, entry: catalogue.Entry) -> list[str]:
    """Add an option for each field that does something, explained by the docstring below it."""
    config = entry.config()
    names = []
    for name, says in field_docstrings(entry.model).items():
        if name in IDLE_WITHOUT and not getattr(config, IDLE_WITHOUT[name]):
            continue
        default = getattr(config, name)
        how: dict[str, Any] = {"type": type(default)}
        if isinstance(default, bool):
            how = {"action": argparse.BooleanOptionalAction}
        says = says.replace("%", "%%")
        parser.add_argument(_option(name), default=default, help=says, **how)
        names.append(name)
    return names


def _option(field: str) -> str:
    return f"--{field.replace('_', '-')}"


def _check(options: argparse.Namespace, config: Mapping[str, Any]) -> None:
    if not 0 <= options.seed < 2**63:
        raise ValueError(f"--seed is {options.seed}, expected 0 ... 2^63 - 1")
    if not 1 <= options.likelihood_samples <= MOST_SAMPLES:
        got = options.likelihood_samples
        raise ValueError(f"--likelihood-samples is {got}, expected 1 ... {MOST_SAMPLES}")
    for name, value in config.items():
        if isinstance(value, int) and value > LARGEST:
            raise ValueError(f"{_option(name)} is {value}, expected {LARGEST} or less")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{_option(name)} is {value}, expected a finite number")


def _check_out(name: str, options: argparse.Namespace) -> None:
    """Refuse a weights file that cannot be written, or is kept for the report's models."""
    out: Path = options.out
    if out.suffix != SUFFIX:
        raise ValueError(f"--out is {out}, expected a name that ends in {SUFFIX}")
    if out.is_dir() or not out.parent.is_dir():
        what = "is a folder" if out.is_dir() else f"is in {out.parent}, which is not a folder"
        raise ValueError(f"--out {out} {what}; name a file in a folder that exists")
    try:
        tempfile.TemporaryFile(dir=out.parent).close()  # fail now, not after training
    except OSError as error:
        why = error.strerror or error
        raise ValueError(f"--out {out} cannot be written ({why}); name another folder") from error
    # the report's own file may be written, but only with the report's recipe
    folders = [paths.built_weights_dir().resolve(), paths.released_weights_dir().resolve()]
    reserved = out.resolve().parent in folders and out.stem in ENTRIES
    changed = options.fields or options.seed != catalogue.SEED
    if reserved and (changed or out.resolve() != _own_file(name).resolve()):
        raise ValueError(f"--out {out} is reserved for the report's weights; choose another name")


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


def target(recipe: "Recipe", chosen: "Recipe", out: Path | None) -> Path:
    """Path of the weights file; a variant never overwrites a model of the report.

    Args:
        recipe: the report's recipe.
        chosen: the recipe to be trained.
        out: the user's --out, if given.
    """
    own = _own_file(recipe.name)
    if out is not None or chosen.key() == recipe.key():
        return out or own
    return own.with_stem(f"{recipe.name}-{chosen.key().digest[:8]}")


def next_step(name: str, out: Path) -> str:
    """The command that shows what was trained."""
    file = shlex.quote(str(out))
    if out.resolve() == _own_file(name).resolve():
        return "next: `latentwalk render` makes the report with these weights"
    if out.stem == name:
        folder = shlex.quote(str(out.parent))
        return f"next: `LATENTWALK_WEIGHTS={folder} latentwalk render` makes the report with them"
    if ENTRIES[name].model == "classifier":
        return f"next: name the file classifier{SUFFIX} and set LATENTWALK_WEIGHTS to its folder"
    return f"next: `latentwalk sample {name} --weights {file} --out images.npz` draws from it"


def _own_file(name: str) -> Path:
    return paths.built_weights_dir() / f"{name}{SUFFIX}"


def _device(name: str) -> "torch.device":
    import torch

    from latentwalk.training import loop

    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device is cuda, but there is no GPU that PyTorch can use; use cpu")
    return loop.best_device() if name == "auto" else torch.device(name)


def _overview() -> str:
    rows = [f"  {name:<12} {entry.purpose}" for name, entry in ENTRIES.items()]
    return "\n".join(
        [
            f"usage: {PROGRAM} MODEL [OPTIONS]\n",
            "Train a model of the report, or a variant of it.\n",
            "models:",
            *rows,
            f"\nExample:\n    {PROGRAM} gan --steps 500 --out gan-short{SUFFIX}",
            f"\n`{PROGRAM} MODEL --help` lists the model's options.",
        ]
    )


def _help(name: str) -> str:
    return f"""Train the model `{name}` ({ENTRIES[name].purpose}) on MNIST, measure it, and write
its weights.

With the default options, the weights are written to build/weights/{name}{SUFFIX}, and the report
uses them from then on. Another configuration or seed makes a variant: its weights are written to
build/weights/{name}-<8 hexadecimal digits of its recipe>{SUFFIX}, or to --out, and the report's
weights stay as they are. To resume an interrupted training run, run the same command again.

Example:
    {PROGRAM} {name} --steps 500 --out {name}-short{SUFFIX}
"""
