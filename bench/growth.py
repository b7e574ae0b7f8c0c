"""How a training step's time and memory grow, as one thing at a time is changed.

Run by `make bench`. Each point is a process of its own, because memory that PyTorch has freed stays
with a process, and threads are fixed when one starts. Peak memory is that of the whole process,
PyTorch's libraries and the digits included.
"""

import argparse
import dataclasses
import json
import logging
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import steps
import torch
from report_table import Column, Table

from latentwalk.data import mnist
from latentwalk.model_zoo import recipes
from latentwalk.training import loop

NAMES = ("cgan", "vae")
LADDERS = {
    "batch size": (8, 16, 32, 64, 128, 256),
    "width": (8, 16, 32, 64),
    "latent size": (2, 16, 160, 1600),
    "threads": (1, 2),
    "digits": (6000, 60000),
}
"""What is changed, and to which values; those of the machine's threads that it has not are left."""
COLUMNS = {
    "model": Column("model"),
    "what": Column("what"),
    "value": Column("is"),
    "milliseconds": Column("ms/step", ".1f"),
    "images_per_second": Column("images/s", ".0f"),
    "parameters": Column("parameters", ",d"),
    "mebibytes": Column("peak MiB", ".0f"),
}


@dataclass(frozen=True)
class Point:
    """One training: the model, and what is changed in it."""

    model: str
    what: str
    value: int

    def recipe(self) -> recipes.Recipe:
        """Give the report's recipe with that change."""
        recipe = recipes.get(self.model)
        width = "encoder_width" if self.model == "vae" else "discriminator_width"
        narrower = getattr(recipe.config, width) / recipe.config.width
        changes: dict[str, Any] = {
            "batch size": {"batch_size": self.value},
            "width": {"width": self.value, width: int(self.value * narrower)},
            "latent size": {"latent_size": self.value},
        }.get(self.what, {})
        return dataclasses.replace(recipe, config=dataclasses.replace(recipe.config, **changes))


def points(names: tuple[str, ...] = NAMES) -> Iterator[Point]:
    """Give every point; the reported configuration is one of each ladder."""
    for name in names:
        for what, ladder in LADDERS.items():
            for value in ladder:
                if what != "threads" or value <= torch.get_num_threads():
                    yield Point(name, what, value)


def measure(point: Point, count: int, repetitions: int) -> dict[str, Any]:
    """Take steps in this process: milliseconds of one, parameters, and the process's peak."""
    if point.what == "threads":
        torch.set_num_threads(point.value)
    device = loop.best_device()
    digits = mnist.load("train")
    if point.what == "digits":
        digits = mnist.Digits(digits.images[: point.value], digits.labels[: point.value])
    recipe = point.recipe()
    take = steps.stepper(recipe, digits.to(device), loop.choose_precision(device))
    take(steps.WARM_UP_STEPS)
    step = statistics.median(steps.seconds(take, count) for _ in range(repetitions))
    network = recipe.network(recipe.config)
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on a Mac
    return {
        "milliseconds": 1000 * step,
        "images_per_second": recipe.config.batch_size / step,
        "parameters": sum(each.numel() for each in network.parameters()),
        "mebibytes": kibibytes / (2**20 if sys.platform == "darwin" else 2**10),
    }


def measure_apart(point: Point, options: argparse.Namespace) -> dict[str, Any]:
    """As `measure`, in a new process.

    Raises:
        RuntimeError: it failed; with the end of what it said.
    """
    asked = json.dumps(dataclasses.asdict(point))
    numbers = ["--steps", str(options.steps), "--repetitions", str(options.repetitions)]
    command = [sys.executable, str(Path(__file__)), "--point", asked, *numbers]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{point} ended with {done.returncode}: {done.stderr[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return dataclasses.asdict(point) | found


def main() -> None:
    """Measure every point and keep a table; or one point, for the program itself."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=16, help="timed steps a repetition")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--models", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--point", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        point = Point(**json.loads(options.point))
        print(json.dumps(measure(point, options.steps, options.repetitions)))
        return
    rows = [measure_apart(point, options) for point in points(tuple(options.models))]
    about = f"Median of {options.repetitions} x {options.steps} steps, a process for each row"
    Table("growth", "How a step grows", COLUMNS, rows, about).keep()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
