"""Where a training step's time goes, by PyTorch's profiler: kinds of operations, data, Python.

Run by `make bench`. Operations are counted by what they are, those of an optimiser with it; what is
left of the wall time is Python's, and PyTorch's way from Python to the operation. The profiler
itself adds a few percent, most of them there.
"""

import argparse
import logging
import time
from collections import defaultdict
from typing import Any

import steps
from report_table import Column, Table
from torch.profiler import ProfilerActivity, profile

from latentwalk.data import mnist
from latentwalk.model_zoo import recipes
from latentwalk.training import loop

KINDS = {  # by a part of an operation's name, the first that fits
    "conv": "convolutions",
    "batch_norm": "batch norm",
    "mm": "matrix products",
    "linear": "matrix products",
}
OF_ELSE, OF_OPTIMISER, OF_DATA, OF_PYTHON = "elementwise", "optimiser", "data", "Python"
ORDER = (*dict.fromkeys(KINDS.values()), OF_ELSE, OF_OPTIMISER, OF_DATA, OF_PYTHON)
COLUMNS = {"model": Column("model"), "milliseconds": Column("ms/step", ".1f")} | {
    kind: Column(kind, ".0%") for kind in ORDER
}


def kind(event: Any) -> str:
    """Say to what an operation belongs, by its name and by what called it."""
    caller = event
    while caller is not None:
        if caller.name == "data":
            return OF_DATA
        if caller.name.startswith("Optimizer.") or "_foreach_lerp_" in caller.name:
            return OF_OPTIMISER  # the running average of the weights is its work, too
        caller = caller.cpu_parent
    return next((kind for part, kind in KINDS.items() if part in event.name), OF_ELSE)


def shares(take: steps.Take, count: int) -> tuple[float, dict[str, float]]:
    """Give the seconds of a step, and the share of each kind in it."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        start = time.perf_counter()
        take(count)
        seconds = time.perf_counter() - start
    spent: dict[str, float] = defaultdict(float)
    for event in profiler.events():
        if not event.name.startswith(("ProfilerStep", "[memory]")):
            spent[kind(event)] += event.self_cpu_time_total / 1e6
    spent[OF_PYTHON] = max(0.0, seconds - sum(spent.values()))
    return seconds / count, {kind: spent[kind] / seconds for kind in ORDER}


def main() -> None:
    """Profile every model and keep a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--models", nargs="+", default=list(recipes.recipes()))
    options = parser.parse_args()
    device = loop.best_device()
    digits, rows = mnist.load("train").to(device), []
    for name in options.models:
        precision = loop.choose_precision(device)
        take = steps.stepper(recipes.get(name), digits, precision)
        take(steps.WARM_UP_STEPS)
        seconds, found = shares(take, options.steps)
        rows.append({"model": name, "milliseconds": 1000 * seconds} | found)
    about = f"{options.steps} steps of each under PyTorch's profiler"
    Table("parts", "Where a step's time goes", COLUMNS, rows, about).keep()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
