"""How fast the models train: images a second of each, median and spread over repetitions.

Run by `make bench`. Times whole training steps of the report's configurations on the real digits,
in float32, in bfloat16 and as a textbook does it (`textbook.py`), one after the other within a
repetition, so that a slow minute of the machine hits all of them alike. The first steps of each are
not counted. Beside them: how much faster than the textbook, and which share of the convolutions
that this machine can do, measured in the same repetitions, a step takes.
"""

import argparse
import logging
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import textbook
import torch
import torch.nn.functional as F
from report_table import Column, Table
from torch.autograd.profiler import record_function
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from latentwalk.data import mnist
from latentwalk.model_zoo import recipes
from latentwalk.training import loop

WARM_UP_STEPS = 3
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
TEXTBOOK = "textbook"
WITH_TEXTBOOK = ("gan", "vae", "cgan")
Take = Callable[[int], None]
Case = tuple[str, str]  # a model, and the way in which it is trained


COLUMNS = {
    "model": Column("model"),
    "way": Column("way"),
    "images_per_second": Column("images/s", ".0f"),  # the median over the repetitions
    "lowest": Column("lowest", ".0f"),
    "highest": Column("highest", ".0f"),
    "milliseconds": Column("ms/step", ".1f"),
    "times_textbook": Column("x textbook", ".2f"),  # in images a second
    "share_of_peak": Column("of peak", ".0%"),  # of the machine's convolutions in this precision
}


def stepper(recipe: recipes.Recipe, digits: mnist.Digits, precision: str) -> Take:
    """Give a function that takes so many training steps."""
    if precision == TEXTBOOK:
        return textbook.begin(recipe.config, digits).take
    device = digits.images.device
    torch.manual_seed(recipe.seed)
    state = recipe.model.init(recipe.config, device)
    rng = torch.Generator(device).manual_seed(recipe.seed)
    order = torch.Generator().manual_seed(recipe.seed)
    stream: Iterator[mnist.Batch] = mnist.batches(digits, recipe.config.batch_size, order)

    def take(steps: int) -> None:
        for _ in range(steps):
            with record_function("data"):  # for `parts.py`
                batch = next(stream)
            with loop.autocast(device, precision):
                recipe.model.train_step(state, batch, rng)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return take


def convolutions(device: torch.device, precision: str) -> Take:
    """Give a function that takes so many large 3 x 3 convolutions, with their gradients."""
    images = torch.randn(128, 64, 14, 14, device=device).to(PRECISIONS[precision])
    images = images.contiguous(memory_format=torch.channels_last).requires_grad_()
    kernels = torch.randn(64, 64, 3, 3, device=device).to(PRECISIONS[precision]).requires_grad_()
    image_gradient = torch.randn_like(images)

    def take(steps: int) -> None:
        for _ in range(steps):
            F.conv2d(images, kernels, padding=1).backward(image_gradient)
            images.grad = kernels.grad = None
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return take


class Operations(TorchDispatchMode):
    """Count multiplications and additions by PyTorch's own table.

    Its `FlopCounterMode` also follows modules, and cannot where a loss holds a gradient.
    """

    total = 0

    def __torch_dispatch__(
        self, operator: Any, types: Any, arguments: Any = (), named: Any = None
    ) -> Any:
        """Carry out an operator and count it."""
        result = operator(*arguments, **(named or {}))
        count = flop_registry.get(operator.overloadpacket)
        if count is not None:
            self.total += count(*arguments, **(named or {}), out_val=result)
        return result


def operations(take: Take) -> float:
    """Multiplications and additions of a step, the mean of 8: some are longer than others."""
    with Operations() as counter:
        take(8)
    return counter.total / 8


def seconds(take: Take, steps: int) -> float:
    """Time a step, the mean of so many."""
    start = time.perf_counter()
    take(steps)
    return (time.perf_counter() - start) / steps


def main() -> None:
    """Time every model and keep a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=16, help="timed steps a repetition")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--models", nargs="+", default=list(recipes.recipes()))
    options = parser.parse_args()
    device = loop.best_device()
    digits = mnist.load("train").to(device)
    cases = [
        (name, way)
        for name in options.models
        for way in (*PRECISIONS, TEXTBOOK)
        if way != TEXTBOOK or name in WITH_TEXTBOOK
    ]
    takes = {(name, way): stepper(recipes.get(name), digits, way) for name, way in cases}
    peaks = {("peak", precision): convolutions(device, precision) for precision in PRECISIONS}
    everything = takes | peaks
    found: dict[Case, list[float]] = {case: [] for case in everything}
    for take in everything.values():
        take(WARM_UP_STEPS)
    for _ in range(options.repetitions):
        for case, take in everything.items():
            found[case].append(seconds(take, options.steps))
    work = {case: operations(take) for case, take in everything.items()}
    peak = {way: work["peak", way] / statistics.median(found["peak", way]) for way in PRECISIONS}
    rows = [row(case, found, work[case], peak) for case in cases]
    speeds = " and ".join(f"{speed / 1e9:.0f} in {way}" for way, speed in peak.items())
    about = (
        f"{options.repetitions} x {options.steps} steps of each way, in turns; convolutions with "
        f"their gradients reach {speeds} GFLOP/s"
    )
    Table("steps", "Training steps", COLUMNS, rows, about).keep()


def row(
    case: Case, found: dict[Case, list[float]], work: float, peak: dict[str, float]
) -> dict[str, Any]:
    """Say what was found for a model trained in one way.

    Args:
        case: the model and the way.
        found: seconds a step of every case, in each repetition.
        work: operations of a step.
        peak: operations a second that the machine does in each precision.
    """
    usual = (case[0], TEXTBOOK)
    rates, step = _rates(case, found[case]), statistics.median(found[case])
    median = statistics.median(rates)
    times = median / statistics.median(_rates(usual, found[usual])) if usual in found else None
    share = work / step / peak.get(case[1], peak["float32"])  # a textbook's is float32
    numbers = (median, min(rates), max(rates), 1000 * step, times, share)
    return dict(zip(COLUMNS, (*case, *numbers), strict=True))


def _rates(case: Case, seconds: list[float]) -> list[float]:
    """Images a second in each repetition."""
    name, way = case
    size = textbook.BATCH_SIZE if way == TEXTBOOK else recipes.get(name).config.batch_size
    return [size / each for each in seconds]


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
